package connector

import (
	"errors"
	"fmt"

	"postern/bridge/adminroom"
	"postern/interop"
)

// outdated tells the admins that a gatekeeper wants a newer version, once for each version that it refuses. It returns at once.
func (n *Network) outdated(gatekeeper *interop.Gatekeeper) {
	version := fmt.Sprintf("%d.%d.%d", gatekeeper.ProtocolVersion[0], gatekeeper.ProtocolVersion[1], gatekeeper.ProtocolVersion[2])
	n.log.Error().Str("gatekeeper", gatekeeper.ID).Str("protocol_version", version).Msg("The gatekeeper refuses the protocol version as too old")
	n.adminRoom.Hear(adminroom.News{Group: "outdated." + gatekeeper.ID, Text: textOutdated(gatekeeper.Name, version), Once: true})
}

// isOutdated tells whether a gatekeeper refused the protocol version.
func isOutdated(err error) bool {
	var refused *interop.EnlistError
	return errors.Is(err, interop.ErrOutdated) || errors.As(err, &refused) && refused.Reason == "old_version"
}

// isTokenRefused tells whether a gatekeeper refused an enlistment for its identity token.
func isTokenRefused(err error) bool {
	var refused *interop.EnlistError
	return errors.As(err, &refused) && refused.Reason == "bad_token"
}

// textOutdated is for admins.
func textOutdated(gatekeeper, version string) string {
	return fmt.Sprintf("%[1]s refuses version %[2]s of the protocol as too old, so nobody can enlist or exchange messages with it any more. "+
		"Please update Postern, set `protocol_version` of this gatekeeper in the config to the version that %[1]s names, and restart the bridge. "+
		"Users who do not connect for 30 days are forgotten by %[1]s.", gatekeeper, version)
}
