package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

const (
	maxJIDUser   = 128 // bytes; the longest known are group ids with about 30
	maxJIDServer = 64
	// maxJIDText is the longest text form: integrator, user, device, server and the marks between them.
	maxJIDText = maxJIDUser + maxJIDServer + 16
)

// FormatJID returns the text form of a JID, such as 4915112345678@s.whatsapp.net, 4915112345678:2@s.whatsapp.net or, with
// the integrator that types.JID.String drops, 1-10853634039893:2@interop. An empty JID is "".
func FormatJID(jid types.JID) string {
	var text strings.Builder
	if jid.User != "" {
		if jid.Server == types.InteropServer {
			text.WriteString(strconv.Itoa(int(jid.Integrator)))
			text.WriteByte('-')
		}
		text.WriteString(jid.User)
		if jid.Device > 0 {
			text.WriteByte(':')
			text.WriteString(strconv.Itoa(int(jid.Device)))
		}
		text.WriteByte('@')
	}
	text.WriteString(jid.Server)
	return text.String()
}

// ParseJID parses what [FormatJID] returns. Every error is an [ErrMalformed]. It does not know the obsolete form with an
// agent, such as 4915112345678.0:2@s.whatsapp.net.
func ParseJID(text string) (types.JID, error) {
	refuse := func(why string) (types.JID, error) {
		return types.JID{}, fmt.Errorf("%w: JID %s", ErrMalformed, why)
	}
	if len(text) > maxJIDText {
		return refuse("too long")
	}
	user, server, found := strings.Cut(text, "@")
	if !found {
		user, server = "", text
	}
	jid := types.JID{Server: server}
	if number, device, found := strings.Cut(user, ":"); found {
		parsed, ok := parseUint16(device)
		if !ok {
			return refuse("with a device that is no 16-bit number")
		}
		user, jid.Device = number, parsed
	}
	if server == types.InteropServer && user != "" {
		integrator, account, found := strings.Cut(user, "-")
		parsed, ok := parseUint16(integrator)
		if !found || !ok {
			return refuse("of an interop user without a 16-bit integrator")
		}
		user, jid.Integrator = account, parsed
	}
	jid.User = user
	if found && user == "" {
		return refuse("without a user")
	}
	if problem := jidProblem(jid); problem != "" {
		return types.JID{}, fmt.Errorf("%w: %s", ErrMalformed, problem)
	}
	return jid, nil
}

// parseUint16 takes decimal digits only, without a sign or leading zeros.
func parseUint16(text string) (uint16, bool) {
	if text == "" || len(text) > 1 && text[0] == '0' || text[0] < '0' || text[0] > '9' {
		return 0, false
	}
	number, err := strconv.ParseUint(text, 10, 16)
	return uint16(number), err == nil
}

// jidProblem says what is wrong with a JID, or "". It refuses users and servers whose text forms could be taken for
// another JID or for part of a path, and fields that have no meaning for the server.
func jidProblem(jid types.JID) string {
	switch {
	case jid.Server == "":
		return "JID without a server"
	case len(jid.Server) > maxJIDServer || len(jid.User) > maxJIDUser:
		return "JID too long"
	case jid.User == "" && (jid.Device != 0 || jid.Integrator != 0):
		return "JID with a device but no user"
	case jid.Integrator != 0 && jid.Server != types.InteropServer:
		return "JID with an integrator outside interop"
	case jid.RawAgent != 0:
		return "JID with an agent"
	}
	if !isJIDPart(jid.User, "-_+") || !isJIDPart(jid.Server, "-.") {
		return "JID with a forbidden character"
	}
	return ""
}

// isJIDPart tells whether part consists of ASCII letters, digits and the other characters only.
func isJIDPart(part, others string) bool {
	for i := range len(part) {
		c := part[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

// checkJID holds a JID that is to be encoded to what the coding can carry: it would cut a device number in silence.
func checkJID(jid types.JID) error {
	if problem := jidProblem(jid); problem != "" {
		return errors.New(problem)
	}
	switch jid.Server {
	case types.DefaultUserServer, types.HiddenUserServer, types.HostedServer, types.HostedLIDServer:
		if jid.Device > maxADDevice {
			return fmt.Errorf("device %d over %d", jid.Device, maxADDevice)
		}
	case types.MessengerServer, types.InteropServer:
		if jid.User == "" {
			return errors.New("JID without a user")
		}
	default:
		if jid.Device > 0 {
			return fmt.Errorf("device %d at a server without devices", jid.Device)
		}
	}
	return nil
}
