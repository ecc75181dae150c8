package phone

import (
	"context"
	"errors"

	"go.mau.fi/whatsmeow/types"
)

var (
	// ErrNobody is returned for a number or identifier that no account has.
	ErrNobody = errors.New("nobody has this number or address")
	// ErrBadNumber is returned for text that is no phone number in international form.
	ErrBadNumber = errors.New("this is no phone number in international form, such as +4915112345678")
	// ErrTooMany is returned when one more phone or chat would be too many.
	ErrTooMany = errors.New("there are too many already")
)

// Contact is whom one writes with, as the gatekeeper knows them. Name is as it came: see [TidyName].
type Contact struct {
	// Address is the LID that the client writes to: a WhatsApp user's own, or a partner's user's alias.
	Address types.JID
	Name    string
	// ID is what tells people apart: a phone number with a plus, or the identifier that a partner's user is known by.
	ID string
	// Partner is the name of the service that a partner's user is with, "" for a WhatsApp user.
	Partner string
}

// Settings are what a user decided about third-party chats.
type Settings struct {
	// ThirdParty turns them on.
	ThirdParty bool
	// OneInbox shows them between the others instead of in a folder of their own.
	OneInbox bool
	// Partners are all that there are, in the gatekeeper's order. Nobody can be added.
	Partners []Partner
}

// Partner is a service whose users one may exchange messages with.
type Partner struct {
	Integrator uint16
	Name       string
	Address    string
	Allowed    bool
}

// Registry is what the gatekeeper's own app asks of it in ways that are not published, and that whatsmeow knows nothing
// of. Implementations return this package's errors.
type Registry interface {
	// Find returns the account that a phone number, an address or a partner's user's identifier names, or ErrNobody.
	Find(ctx context.Context, name string) (Contact, error)
	// Account returns the account with the phone number. It makes one with the name if there is none.
	Account(ctx context.Context, phone, name string) (Contact, error)
	// AddDevice registers a device of the account with the phone number, and returns its two addresses.
	AddDevice(ctx context.Context, phone string, noiseKey [32]byte) (number, lid types.JID, err error)
	// IdentityKeys returns the public identity keys of all devices of the account that others write to, 32 bytes each.
	IdentityKeys(ctx context.Context, phone string) ([][]byte, error)
	// Asking returns the partners' users who ask the user to turn third-party chats on, the latest first.
	Asking(ctx context.Context, phone string) ([]Contact, error)
	Settings(ctx context.Context, phone string) (Settings, error)
	// SetSettings ignores partners that it does not know.
	SetSettings(ctx context.Context, phone string, settings Settings) error
}
