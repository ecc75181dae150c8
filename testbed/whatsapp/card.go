package whatsapp

import (
	"context"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"go.mau.fi/whatsmeow/types"
	"google.golang.org/protobuf/proto"
)

// Location is a place on earth.
type Location struct {
	Latitude, Longitude float64 // in degrees
	Name, Address       string
}

// SendLocation sends a place. It is not one that moves.
func (d *Device) SendLocation(ctx context.Context, to types.JID, place Location) (types.MessageID, error) {
	return d.Send(ctx, to, &waE2E.Message{LocationMessage: &waE2E.LocationMessage{
		DegreesLatitude: proto.Float64(place.Latitude), DegreesLongitude: proto.Float64(place.Longitude),
		Name: given(place.Name), Address: given(place.Address),
	}})
}

// SendContact sends a vCard under a name.
func (d *Device) SendContact(ctx context.Context, to types.JID, name, vcard string) (types.MessageID, error) {
	return d.Send(ctx, to, &waE2E.Message{ContactMessage: &waE2E.ContactMessage{
		DisplayName: proto.String(name), Vcard: proto.String(vcard),
	}})
}
