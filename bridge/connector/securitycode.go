package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"go.mau.fi/whatsmeow/types"

	"postern/interop"
	"postern/puppet"
)

// SecurityCode is what a user compares with a contact.
type SecurityCode struct {
	// Digits are 60; see [puppet.SecurityCode].
	Digits string
	// Compared: the user compared this very code. Stale: they compared another one, of other keys.
	Compared, Stale bool
	// Held: messages wait until the user agrees to a new key.
	Held bool

	keysHash []byte
}

// shownCodes remembers which code a user saw last in this run, so that they confirm that one and no newer one. The zero value is ready.
type shownCodes struct {
	lock  sync.Mutex
	codes map[types.JID]string
}

// maxShownCodes bounds what is remembered of one login. If there are more, the user has to ask once more.
const maxShownCodes = 256

func (s *shownCodes) put(contact types.JID, digits string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.codes == nil || len(s.codes) >= maxShownCodes {
		s.codes = make(map[types.JID]string)
	}
	s.codes[contact] = digits
}

func (s *shownCodes) get(contact types.JID) string {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.codes[contact]
}

// SecurityCode computes the code of a contact from the keys that messages are encrypted for now. Errors for the user are of type
// [refusal].
func (c *Client) SecurityCode(ctx context.Context, jid types.JID) (*SecurityCode, error) {
	if !c.IsLoggedIn() {
		return nil, refusal(textNotEnlisted)
	}
	c.reach(ctx)
	keys, err := c.interop.Identities(ctx, jid)
	if err != nil {
		zerolog.Ctx(ctx).Info().Err(err).Msg("The keys of a contact cannot be had")
		return nil, refusal(textNoCode(c.gatekeeperName(), err))
	}
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return nil, err
	}
	theirs := puppet.Party{Identifier: puppet.CodeIdentifier(jid), Keys: keys}
	ours := puppet.Party{Identifier: c.enlistment.UserID, Keys: [][32]byte{c.enlistment.Keys.Identity.Pub}}
	code := &SecurityCode{Digits: puppet.SecurityCode(ours, theirs), Held: contact.Held, keysHash: theirs.KeysHash()}
	code.Compared = bytes.Equal(contact.Compared, code.keysHash)
	code.Stale = contact.Compared != nil && !code.Compared
	return code, nil
}

// Verify marks a code as compared, and lets messages go that wait. digits is the code that the user saw, with or without spaces: if it is
// not the contact's any more, nothing is marked. It returns a sentence for the user. Errors for the user are of type [refusal].
func (c *Client) Verify(ctx context.Context, jid types.JID, digits string) (string, error) {
	code, err := c.SecurityCode(ctx, jid)
	if err != nil {
		return "", err
	} else if strings.Join(strings.Fields(digits), "") != code.Digits {
		return "", refusal(textOtherCode)
	}
	if err = c.contacts().SetCompared(ctx, jid, code.keysHash); err != nil {
		return "", err
	}
	zerolog.Ctx(ctx).Info().Msg("A user compared a security code")
	if err = c.agree(ctx, jid); err != nil {
		return "", err
	}
	return "Marked as compared. If the code changes, a notice here says so, and the mark is gone.", nil
}

// Trust agrees to a contact's new key without comparing: messages that wait are sent. It returns a sentence for the user. Errors for
// the user are of type [refusal].
func (c *Client) Trust(ctx context.Context, jid types.JID) (string, error) {
	if !c.IsLoggedIn() {
		return "", refusal(textNotEnlisted)
	}
	contact, err := c.contacts().Contact(ctx, jid)
	if err != nil {
		return "", err
	} else if !contact.Held {
		return "", refusal("Nothing waits: what you write to this contact is sent.")
	}
	zerolog.Ctx(ctx).Info().Msg("A user agreed to a contact's new key")
	if err = c.agree(ctx, jid); err != nil {
		return "", err
	}
	return "What you wrote is sent now, encrypted for the new key.", nil
}

func (c *Client) agree(ctx context.Context, jid types.JID) error {
	if err := c.interop.Agree(ctx, jid); err != nil {
		return err
	}
	c.keyNotices.agreed(jid)
	c.need()
	return nil
}

const textOtherCode = "This is not the contact's security code, or not any more. Please write `code`, compare what it shows, and then `verify`."

// textNoCode says why there is no code to compare.
func textNoCode(gatekeeper string, err error) string {
	if errors.Is(err, interop.ErrNoKeys) {
		return fmt.Sprintf("%s does not give the keys of all of the contact's devices now, so there is no code to compare. Please try again later.", gatekeeper)
	}
	return textResolveFailed(gatekeeper, err)
}

// textCode goes with a code. verify and trust are what the user writes for these commands.
func textCode(name string, code *SecurityCode, verify, trust string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "The security code of your chat with %s:\n\n```\n%s\n```\n\n", escape(name), puppet.FormatSecurityCode(code.Digits))
	switch {
	case code.Compared:
		text.WriteString("You compared it, and it has not changed since.")
	case code.Stale:
		fmt.Fprintf(&text, "It is not the one that you compared: a key changed, or the contact linked or removed a device. Please compare it again, then write `%s`.", verify)
	default:
		fmt.Fprintf(&text, "If your contact's app shows the same, write `%s`.", verify)
	}
	text.WriteString(" It vouches for the way between this bridge and your contact; the bridge itself can read what is written.")
	if code.Held {
		fmt.Fprintf(&text, "\n\nWhat you write to them waits until you agree to the new key, with `%s` or `%s`.", verify, trust)
	}
	return text.String()
}
