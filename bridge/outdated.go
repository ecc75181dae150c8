package bridge

import (
	"context"
	"errors"
	"fmt"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix/id"

	"postern/interop"
)

// outdated tells the admins that a gatekeeper wants a newer version, once for each version that it refuses. It returns at
// once.
func (n *Network) outdated(gatekeeper *interop.Gatekeeper) {
	n.spawn(func(ctx context.Context) {
		n.telling.Lock() // all users of the gatekeeper find out at the same time
		defer n.telling.Unlock()
		if err := n.tellOutdated(ctx, gatekeeper); err != nil {
			zerolog.Ctx(ctx).Err(err).Str("gatekeeper", gatekeeper.ID).Msg("Failed to tell the admins that the protocol version is too old")
		}
	})
}

func (n *Network) tellOutdated(ctx context.Context, gatekeeper *interop.Gatekeeper) error {
	name := "outdated." + gatekeeper.ID
	version := fmt.Sprintf("%d.%d.%d", gatekeeper.ProtocolVersion[0], gatekeeper.ProtocolVersion[1], gatekeeper.ProtocolVersion[2])
	if told, err := n.kv.Get(ctx, name); err != nil || string(told) == version {
		return err
	}
	zerolog.Ctx(ctx).Error().Str("gatekeeper", gatekeeper.ID).Str("protocol_version", version).Msg("The gatekeeper refuses the protocol version as too old")
	var problems []error
	for _, admin := range n.Admins {
		problems = append(problems, n.TellUser(ctx, id.UserID(admin), textOutdated(gatekeeper.Name, version)))
	}
	if err := errors.Join(problems...); err != nil {
		return err // an admin who was told reads it twice then
	}
	return n.kv.Set(ctx, name, []byte(version))
}

// isOutdated tells whether a gatekeeper refused the protocol version.
func isOutdated(err error) bool {
	var refused *interop.EnlistError
	return errors.Is(err, interop.ErrOutdated) || errors.As(err, &refused) && refused.Reason == "old_version"
}

// textOutdated is for admins.
func textOutdated(gatekeeper, version string) string {
	return fmt.Sprintf("%[1]s refuses version %[2]s of the protocol as too old, so nobody can enlist or exchange messages with it any more. "+
		"Please update Postern, set `protocol_version` of this gatekeeper in the config to the version that %[1]s names, and restart the bridge. "+
		"Users who do not connect for 30 days are forgotten by %[1]s.", gatekeeper, version)
}
