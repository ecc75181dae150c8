package puppet

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.mau.fi/whatsmeow/types"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"postern/interop"
)

// MaxPictureSize is how large a profile picture may be, in bytes. WhatsApp's have 640 by 640 pixels and under 200 KiB.
const MaxPictureSize = 2 << 20

// ErrPicture: what was fetched as a profile picture is too large or not a picture.
var ErrPicture = errors.New("not a usable profile picture")

// Profile is what is known of a contact at this moment.
type Profile struct {
	// JID is the contact's, without a device.
	JID types.JID
	// Phone is in international form with a plus. "" if only the JID tells.
	Phone string
	// PushName is the name that the contact chose, as it came. "" if unknown.
	PushName string
	// Picture is what the gatekeeper said; see PictureKnown.
	Picture *interop.Picture
	// PictureKnown is false if nobody asked for the picture: the ghost then keeps the one it has. If it is true and
	// Picture is nil, the contact has none or does not show it to us, and the ghost's is taken away.
	PictureKnown bool
	// Fetch loads a picture. It is called only if the picture's ID differs from the ghost's, and must stop reading at
	// [MaxPictureSize] plus one byte.
	Fetch func(ctx context.Context, picture *interop.Picture) ([]byte, error)
}

// Metadata is stored with a ghost: what a name can be made of without asking again.
type Metadata struct {
	// PushName is the name as the contact chose it, made safe.
	PushName string `json:"push_name,omitempty"`
	// Phone is in international form with a plus.
	Phone string `json:"phone,omitempty"`
}

// NewMetadata is for bridgev2's table of metadata types.
func NewMetadata() any { return &Metadata{} }

// Name chooses what a contact is called: by the name they chose, else by their phone number, else by their account.
func (p *Profile) Name() string {
	if name := SafeName(p.PushName); name != "" {
		return name
	}
	if phone := p.phone(); phone != "" {
		return FormatPhone(phone)
	}
	return "Contact " + p.JID.User
}

// FullName is the name with the number or account that belongs to it, for people whom the user does not know yet: a name that
// they chose, however much it looks like somebody else's, never stands alone.
func (p *Profile) FullName() string {
	account := "no number shown"
	if phone := p.phone(); phone != "" {
		account = FormatPhone(phone)
	}
	if name := SafeName(p.PushName); name != "" {
		return name + " (" + account + ")"
	} else if phone := p.phone(); phone != "" {
		return account
	}
	return p.Name() + " (" + account + ")"
}

// UserInfo tells bridgev2 how the contact's ghost is to look. Fields that are not known stay as they are: pass the
// ghost's [Metadata] through [Profile.Recall] first, so that a name is not lost.
func (p *Profile) UserInfo() *bridgev2.UserInfo {
	name, isBot := p.Name(), false
	identifiers := []string{}
	if phone := p.phone(); phone != "" {
		identifiers = append(identifiers, "tel:"+phone)
	}
	return &bridgev2.UserInfo{
		Identifiers:  identifiers,
		Name:         &name,
		Avatar:       p.avatar(),
		IsBot:        &isBot,
		ExtraUpdates: p.remember,
	}
}

// Recall fills what the profile does not say from what was stored with the ghost. stored may be nil or of another type.
func (p *Profile) Recall(stored any) {
	metadata, ok := stored.(*Metadata)
	if !ok || metadata == nil {
		return
	}
	if p.PushName == "" {
		p.PushName = metadata.PushName
	}
	if p.Phone == "" {
		p.Phone = metadata.Phone
	}
}

func (p *Profile) phone() string {
	if p.Phone != "" {
		return p.Phone
	}
	return Phone(p.JID)
}

// remember stores what the profile knows in the ghost's metadata. Called by bridgev2, which saves the ghost.
func (p *Profile) remember(_ context.Context, ghost *bridgev2.Ghost) bool {
	p.Recall(ghost.Metadata)
	updated := Metadata{PushName: SafeName(p.PushName), Phone: p.phone()}
	if metadata, ok := ghost.Metadata.(*Metadata); ok && metadata != nil && *metadata == updated {
		return false
	}
	ghost.Metadata = &updated
	return true
}

func (p *Profile) avatar() *bridgev2.Avatar {
	switch {
	case !p.PictureKnown:
		return nil
	case p.Picture == nil || p.Picture.ID == "" || p.Fetch == nil:
		return &bridgev2.Avatar{Remove: true}
	}
	picture, fetch := p.Picture, p.Fetch
	return &bridgev2.Avatar{
		ID:  networkid.AvatarID(picture.ID),
		Get: func(ctx context.Context) ([]byte, error) { return checkedPicture(fetch(ctx, picture)) },
	}
}

// checkedPicture lets only pictures of a known kind through: the bytes are a stranger's and are shown in every client.
func checkedPicture(data []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("failed to fetch a profile picture: %w", err)
	}
	if len(data) > MaxPictureSize {
		return nil, fmt.Errorf("%w: over %d bytes", ErrPicture, MaxPictureSize)
	}
	switch kind := http.DetectContentType(data); kind {
	case "image/jpeg", "image/png", "image/webp":
		return data, nil
	default:
		return nil, fmt.Errorf("%w: %s", ErrPicture, kind)
	}
}
