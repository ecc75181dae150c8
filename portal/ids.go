package portal

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// All ids that the bridge stores are made and parsed here and nowhere else. They are kept in databases and in Matrix
// IDs, so a change of a form needs a migration.
//
//	user     whatsapp-4915112345678               a phone number JID
//	         whatsapp-lid-130455123456789         a LID
//	         whatsapp-interop-1-10853634039893    another partner's user: integrator, account
//	         messenger-msgr-100012345678          a Messenger user
//	portal   the same text as the contact's user id
//	login    whatsapp-1-10853634039893            integrator, account
//	message  in:whatsapp-4915112345678:3EB0C431   direction, contact, the id that its sender chose
//
// The separator is a dash and not an underscore, because an underscore is doubled when an id goes into a Matrix ID.

// MaxMessageIDLength is how long a message id of the gatekeeper's protocol may be, in bytes. Those of WhatsApp's own
// clients have 16 to 32; anything may come from a hostile one.
const MaxMessageIDLength = 128

// ErrInvalidID is wrapped by all errors that the functions for ids return.
var ErrInvalidID = errors.New("not a valid id")

var (
	gatekeeperForm = regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)
	// accountForm: phone numbers have up to 15 digits, LIDs and account numbers up to 20; none starts with a zero.
	accountForm   = regexp.MustCompile(`^[1-9][0-9]{0,19}$`)
	messageIDForm = regexp.MustCompile(`^[A-Za-z0-9._:=+/-]+$`)
)

// ValidGatekeeperID tells whether an admin's short name for a gatekeeper can be part of an id: a lower case letter,
// then at most 31 lower case letters and digits. A dash is not allowed, since it separates the parts of an id.
func ValidGatekeeperID(id string) bool { return gatekeeperForm.MatchString(id) }

// UserID names a person at a gatekeeper, who becomes a ghost. The device is ignored. The result is lower case and
// needs no escaping in a Matrix ID.
func UserID(gatekeeper string, jid types.JID) (networkid.UserID, error) {
	if !ValidGatekeeperID(gatekeeper) || !accountForm.MatchString(jid.User) {
		return "", fmt.Errorf("%w: %.64q at gatekeeper %.64q", ErrInvalidID, jid.String(), gatekeeper)
	}
	switch jid.Server {
	case types.DefaultUserServer:
		return networkid.UserID(gatekeeper + "-" + jid.User), nil
	case types.HiddenUserServer, types.MessengerServer:
		return networkid.UserID(gatekeeper + "-" + jid.Server + "-" + jid.User), nil
	case types.InteropServer:
		integrator := strconv.Itoa(int(jid.Integrator))
		return networkid.UserID(gatekeeper + "-" + jid.Server + "-" + integrator + "-" + jid.User), nil
	default:
		return "", fmt.Errorf("%w: %.64q is not a person", ErrInvalidID, jid.String())
	}
}

// ParseUserID is the inverse of [UserID]. It accepts nothing that UserID does not make.
func ParseUserID(id networkid.UserID) (gatekeeper string, jid types.JID, err error) {
	parts := strings.Split(string(id), "-")
	switch {
	case len(parts) == 2:
		jid = types.NewJID(parts[1], types.DefaultUserServer)
	case len(parts) == 3 && (parts[1] == types.HiddenUserServer || parts[1] == types.MessengerServer):
		jid = types.NewJID(parts[2], parts[1])
	case len(parts) == 4 && parts[1] == types.InteropServer:
		jid, err = interopJID(parts[2], parts[3])
	default:
		err = ErrInvalidID
	}
	if err == nil && (!ValidGatekeeperID(parts[0]) || !accountForm.MatchString(jid.User)) {
		err = ErrInvalidID
	}
	if err != nil {
		return "", types.EmptyJID, fmt.Errorf("%w: user %.64q", ErrInvalidID, string(id))
	}
	return parts[0], jid, nil
}

// LoginID names one enlistment: account is the internal identifier that the gatekeeper assigned.
func LoginID(gatekeeper string, account types.JID) (networkid.UserLoginID, error) {
	if !ValidGatekeeperID(gatekeeper) || account.Server != types.InteropServer || !accountForm.MatchString(account.User) {
		return "", fmt.Errorf("%w: account %.64q at gatekeeper %.64q", ErrInvalidID, account.String(), gatekeeper)
	}
	return networkid.UserLoginID(gatekeeper + "-" + strconv.Itoa(int(account.Integrator)) + "-" + account.User), nil
}

// ParseLoginID is the inverse of [LoginID].
func ParseLoginID(id networkid.UserLoginID) (gatekeeper string, account types.JID, err error) {
	parts := strings.Split(string(id), "-")
	if len(parts) != 3 || !ValidGatekeeperID(parts[0]) {
		return "", types.EmptyJID, fmt.Errorf("%w: login %.64q", ErrInvalidID, string(id))
	}
	if account, err = interopJID(parts[1], parts[2]); err != nil {
		return "", types.EmptyJID, fmt.Errorf("%w: login %.64q", ErrInvalidID, string(id))
	}
	return parts[0], account, nil
}

// OwnUserID is the login's user as others at the gatekeeper see them. It is the sender of messages from Matrix; its
// ghost never joins a room.
func OwnUserID(login networkid.UserLoginID) (networkid.UserID, error) {
	gatekeeper, account, err := ParseLoginID(login)
	if err != nil {
		return "", err
	}
	return UserID(gatekeeper, account)
}

// Key names the room of a login with a contact. Every login has its own room with a contact, also if two logins of
// one homeserver write to the same person.
func Key(login networkid.UserLoginID, contact networkid.UserID) networkid.PortalKey {
	return networkid.PortalKey{ID: networkid.PortalID(contact), Receiver: login}
}

// Contact is the inverse of [Key]: who the chat is with.
func Contact(portal networkid.PortalID) (networkid.UserID, error) {
	if _, _, err := ParseUserID(networkid.UserID(portal)); err != nil {
		return "", fmt.Errorf("portal: %w", err)
	}
	return networkid.UserID(portal), nil
}

// Direction is who sent a message.
type Direction string

const (
	// FromContact: the contact sent it.
	FromContact Direction = "in"
	// FromUser: our user sent it.
	FromUser Direction = "out"
	// FromBridge: the bridge wrote a notice that no one sent.
	FromBridge Direction = "note"
)

// MessageID names a message in the bridge's database. Ids are chosen by whoever sends a message and are unique only
// among that person's messages, so direction and contact are part of it: a contact cannot pass off an id of another
// chat, or one of ours, as their own.
func MessageID(direction Direction, contact networkid.UserID, id types.MessageID) (networkid.MessageID, error) {
	result := networkid.MessageID(MessageIDPrefix(direction, contact) + id)
	if _, _, _, err := ParseMessageID(result); err != nil {
		return "", err
	}
	return result, nil
}

// MessageIDPrefix is what the ids of all messages of a contact's chat begin with that were sent in the direction.
func MessageIDPrefix(direction Direction, contact networkid.UserID) string {
	return string(direction) + ":" + string(contact) + ":"
}

// ParseMessageID is the inverse of [MessageID].
func ParseMessageID(id networkid.MessageID) (direction Direction, contact networkid.UserID, messageID types.MessageID, err error) {
	first, rest, _ := strings.Cut(string(id), ":")
	second, third, _ := strings.Cut(rest, ":")
	direction, contact, messageID = Direction(first), networkid.UserID(second), third
	if len(messageID) > MaxMessageIDLength || !messageIDForm.MatchString(messageID) {
		return "", "", "", fmt.Errorf("%w: message id of %d bytes", ErrInvalidID, len(messageID))
	}
	if direction != FromContact && direction != FromUser && direction != FromBridge {
		return "", "", "", fmt.Errorf("%w: message direction %.8q", ErrInvalidID, first)
	}
	if _, _, err = ParseUserID(contact); err != nil {
		return "", "", "", fmt.Errorf("message: %w", err)
	}
	return direction, contact, messageID, nil
}

// interopJID reads an integrator and an account number in the one form that they are written in.
func interopJID(integrator, account string) (types.JID, error) {
	number, err := strconv.ParseUint(integrator, 10, 16)
	if err != nil || strconv.FormatUint(number, 10) != integrator || !accountForm.MatchString(account) {
		return types.EmptyJID, ErrInvalidID
	}
	return types.JID{User: account, Integrator: uint16(number), Server: types.InteropServer}, nil
}
