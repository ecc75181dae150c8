package interop

import (
	"context"
	"fmt"
	"strings"

	waBinary "go.mau.fi/whatsmeow/binary"
)

// Digits of a phone number in international form, with the country code. 15 is E.164's limit; there are no numbers
// as short as 7 digits that a service like this could reach.
const (
	minPhoneDigits = 7
	maxPhoneDigits = 15
)

// NormalizePhone returns a phone number as a plus and digits. Spaces, dots, dashes and parentheses are dropped, and so is
// a whole "(0)", which some countries write for callers at home. The error is [ErrInvalidPhone].
func NormalizePhone(phone string) (string, error) {
	digits, plus := strings.CutPrefix(strings.TrimSpace(strings.ReplaceAll(phone, "(0)", "")), "+")
	if !plus {
		return "", ErrInvalidPhone
	}
	normal := []byte{'+'}
	for _, r := range digits {
		switch {
		case r >= '0' && r <= '9':
			normal = append(normal, byte(r))
		case strings.ContainsRune(phoneMarks, r):
		default:
			return "", ErrInvalidPhone
		}
		if len(normal) > 1+maxPhoneDigits {
			return "", ErrInvalidPhone
		}
	}
	if len(normal) < 1+minPhoneDigits || normal[1] == '0' {
		return "", ErrInvalidPhone
	}
	return string(normal), nil
}

// phoneMarks are what people put between digits, with the special spaces and dashes that address books use.
const phoneMarks = " .-()/\t\u00a0\u2009\u202f\u2010\u2011\u2012\u2013\u2014"

// Resolve looks a phone number up. phone is as people write it, see [NormalizePhone]. A contact who does not accept
// third-party chats is returned with Reachable false.
// Errors: ErrInvalidPhone, ErrUnknownContact, ErrNotConnected, and those of the request.
func (c *Client) Resolve(ctx context.Context, phone string) (*Contact, error) {
	phone, err := NormalizePhone(phone)
	if err != nil {
		return nil, err
	}
	connection := c.connected()
	if connection == nil {
		return nil, ErrNotConnected
	}
	protocols := []waBinary.Node{{Tag: "contact"}}
	users := []waBinary.Node{{Tag: "user", Content: []waBinary.Node{{Tag: "contact", Content: phone}}}}
	answer, err := connection.syncUsers(ctx, "interactive", protocols, users)
	if err != nil {
		return nil, fmt.Errorf("failed to look up a phone number: %w", err)
	}
	for _, user := range answer {
		if contact := parseContact(&user); contact != nil && (contact.Phone == "" || contact.Phone == phone) {
			contact.Phone = phone
			return contact, nil
		}
	}
	return nil, ErrUnknownContact
}

// parseContact reads a user node of a directory answer, nil if it is nobody.
func parseContact(user *waBinary.Node) *Contact {
	found := child(user, "contact")
	jid := jidAttr(user, "jid").ToNonAD()
	if attr(found, "type") != "in" || !isContact(jid) {
		return nil
	}
	contact := &Contact{JID: jid, Reachable: !isUnreachable(user)}
	// The gatekeeper repeats what it was asked for; anything else is somebody else's answer.
	contact.Phone = string(bytesOf(found))
	return contact
}
