package homeserver

import (
	"context"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

// Features are what the homeserver can do for an appservice, and so where the bridge has to help itself. Whether it sends to-device messages
// and device lists in transactions has to be tried out: see probe.
type Features struct {
	// Software and Version are what the server calls itself, "" if it does not tell.
	Software string
	Version  string
	// MSC4190: devices of the bot are made with the as_token. Otherwise it logs in.
	MSC4190 bool
	// Ephemeral: typing and receipts come in transactions.
	Ephemeral bool
	// Redactions come in transactions.
	Redactions bool
	// Invites of users of other servers come in transactions.
	Invites bool
}

// needsSync tells whether the bot has to sync for anything but to-device messages.
func (f Features) needsSync() bool { return !f.Ephemeral || !f.Redactions || !f.Invites }

// Software is what the homeserver calls itself, "" if it does not tell. It is known once the connector has started.
func (c *Connector) Software() (name, version string) { return c.features.Software, c.features.Version }

// detectServer asks what the homeserver is and guesses from that what it can do. What matters is tried out later: see
// megolm.Init.
func (c *Connector) detectServer(ctx context.Context) Features {
	software, version := Software(ctx, c.AS.HTTPClient, c.Config.Homeserver.Address)
	features := GuessFeatures(software, version)
	if software == "" {
		zerolog.Ctx(ctx).Warn().Msg("The homeserver does not tell what it is")
	} else if software == Synapse && features.TooOld() {
		zerolog.Ctx(ctx).Warn().Str("version", version).Msg("Synapse is older than 1.100, which is the oldest that the bridge is made for")
	}
	return features
}

// oldest are the first two numbers of the versions that the bridge is made for.
var oldest = map[string]struct{ major, minor int }{Synapse: {1, 100}, Dendrite: {0, 15}}

// TooOld tells whether the server is of a version from before those that the bridge is made for. Unknown servers and versions are not.
func (f Features) TooOld() bool {
	first, known := oldest[f.Software]
	return known && f.Version != "" && !atLeast(f.Version, first.major, first.minor)
}

// GuessFeatures knows the servers that the bridge is tested with. Of an unknown one nothing is expected but that it
// pushes messages and state: whatever comes twice then is recognized.
func GuessFeatures(software, version string) Features {
	synapse := software == Synapse
	return Features{
		Software:   software,
		Version:    version,
		MSC4190:    synapse && atLeast(version, 1, 121),
		Ephemeral:  synapse,
		Redactions: synapse,
		Invites:    synapse,
	}
}

// atLeast compares the first two numbers of a version such as "1.121.0rc1".
func atLeast(version string, major, minor int) bool {
	var gotMajor, gotMinor int
	if _, err := fmt.Sscanf(strings.TrimPrefix(version, "v"), "%d.%d", &gotMajor, &gotMinor); err != nil {
		return false
	}
	return gotMajor > major || (gotMajor == major && gotMinor >= minor)
}

// log tells the admin how each feature works on this server.
func (f Features) log(log *zerolog.Logger, toDevicePushed bool) {
	by := func(pushed bool) string {
		if pushed {
			return "transactions"
		}
		return "the bot's sync"
	}
	device := "login"
	if f.MSC4190 {
		device = "MSC4190"
	}
	log.Info().
		Str("server", f.Software).
		Str("version", f.Version).
		Str("encryption_keys_by", by(toDevicePushed)).
		Str("typing_and_receipts_by", by(f.Ephemeral)).
		Str("redactions_by", by(f.Redactions)).
		Str("foreign_invites_by", by(f.Invites)).
		Str("bot_device_by", device).
		Msg("The homeserver is connected; encryption, typing, receipts and redactions work")
}
