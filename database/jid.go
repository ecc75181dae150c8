package database

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/types"
)

var errMalformedJID = errors.New("malformed JID in the database")

// formatJID writes every field of a JID, the user last because only it may hold a slash:
// "interop/1/0/0/10853634039893". types.JID.String will not do, it drops the integrator. The empty JID is "".
func formatJID(jid types.JID) string {
	if jid == (types.JID{}) {
		return ""
	}
	return fmt.Sprintf("%s/%d/%d/%d/%s", jid.Server, jid.Integrator, jid.RawAgent, jid.Device, jid.User)
}

func parseJID(text string) (types.JID, error) {
	if text == "" {
		return types.JID{}, nil
	}
	parts := strings.SplitN(text, "/", 5)
	if len(parts) != 5 {
		return types.JID{}, errMalformedJID
	}
	integrator, err1 := strconv.ParseUint(parts[1], 10, 16)
	agent, err2 := strconv.ParseUint(parts[2], 10, 8)
	device, err3 := strconv.ParseUint(parts[3], 10, 16)
	if errors.Join(err1, err2, err3) != nil {
		return types.JID{}, errMalformedJID
	}
	return types.JID{
		User: parts[4], Server: parts[0],
		Integrator: uint16(integrator), RawAgent: uint8(agent), Device: uint16(device),
	}, nil
}
