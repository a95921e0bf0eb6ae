"""Which local peers are in which groups, both ways."""

from __future__ import annotations

from collections.abc import Mapping

from fairway.interfaces.peers import LocalPeer, PeerOwner

__all__ = ["GroupTable"]

_Members = dict[PeerOwner, dict[LocalPeer, None]]
"""Members by the host that serves them, in the order in which they joined."""

_NOBODY: Mapping[PeerOwner, dict[LocalPeer, None]] = {}


class GroupTable:
    """Groups of one mailbox."""

    def __init__(self) -> None:
        self._groups: dict[str, _Members] = {}

    def add(self, group: str, peer: LocalPeer) -> None:
        """Make a peer a member."""
        members = self._groups.setdefault(group, {})
        members.setdefault(peer.owner, {})[peer] = None
        if peer.groups is None:
            peer.groups = set()
        peer.groups.add(group)

    def discard(self, group: str, peer: LocalPeer) -> None:
        """End a membership; silent when there is none."""
        if not peer.groups or group not in peer.groups:
            return
        peer.groups.discard(group)
        members = self._groups[group]
        del members[peer.owner][peer]
        if not members[peer.owner]:
            del members[peer.owner]
        if not members:
            del self._groups[group]

    def leave_all(self, peer: LocalPeer) -> list[str]:
        """End all memberships of a peer; return the groups it was in."""
        groups = sorted(peer.groups or ())
        for group in groups:
            self.discard(group, peer)
        return groups

    def members(self, group: str) -> Mapping[PeerOwner, dict[LocalPeer, None]]:
        """Return the members of a group by the host that serves them."""
        return self._groups.get(group, _NOBODY)

    def memberships(self) -> dict[str, list[str]]:
        """Return the local parts in each group."""
        return {
            group: [peer.local for peers in members.values() for peer in peers]
            for group, members in self._groups.items()
        }
