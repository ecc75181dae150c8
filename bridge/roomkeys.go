package bridge

import (
	"context"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
	"postern/database"
)

// roomKeys is the database's table in the words of package homeserver, which knows no database of ours.
type roomKeys struct{ *database.RoomKeys }

var _ homeserver.RoomKeys = roomKeys{}

func (r roomKeys) Put(ctx context.Context, keys []homeserver.RoomKey, limit int) error {
	rows := make([]database.RoomKey, len(keys))
	for i, key := range keys {
		rows[i] = database.RoomKey{
			User: key.User.String(), Device: key.Device.String(), Session: key.Session.String(),
			Owner: key.Owner.String(), Room: key.Room.String(), Key: key.Key,
		}
	}
	return r.RoomKeys.Put(ctx, rows, limit)
}

func (r roomKeys) Devices(ctx context.Context, limit int) ([]crypto.UserDevice, error) {
	rows, err := r.RoomKeys.Devices(ctx, limit)
	devices := make([]crypto.UserDevice, len(rows))
	for i, row := range rows {
		devices[i] = crypto.UserDevice{UserID: id.UserID(row.User), DeviceID: id.DeviceID(row.Device)}
	}
	return devices, err
}

func (r roomKeys) Of(ctx context.Context, device crypto.UserDevice, limit int) ([]homeserver.RoomKey, error) {
	rows, err := r.RoomKeys.Of(ctx, device.UserID.String(), device.DeviceID.String(), limit)
	keys := make([]homeserver.RoomKey, len(rows))
	for i, row := range rows {
		keys[i] = homeserver.RoomKey{
			User: device.UserID, Device: device.DeviceID, Session: id.SessionID(row.Session),
			Owner: id.UserID(row.Owner), Room: id.RoomID(row.Room), Key: row.Key,
		}
	}
	return keys, err
}

func (r roomKeys) Delete(ctx context.Context, device crypto.UserDevice, session id.SessionID) error {
	return r.RoomKeys.Delete(ctx, device.UserID.String(), device.DeviceID.String(), session.String())
}

func (r roomKeys) DeleteDevice(ctx context.Context, device crypto.UserDevice) error {
	return r.RoomKeys.DeleteDevice(ctx, device.UserID.String(), device.DeviceID.String())
}

func (r roomKeys) DeleteOwner(ctx context.Context, owner id.UserID) error {
	return r.RoomKeys.DeleteOwner(ctx, owner.String())
}

func (r roomKeys) DeleteRoom(ctx context.Context, room id.RoomID) error {
	return r.RoomKeys.DeleteRoom(ctx, room.String())
}
