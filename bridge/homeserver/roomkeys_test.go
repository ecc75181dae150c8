package homeserver_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"postern/bridge/homeserver"
)

// memoryRoomKeys is a homeserver.RoomKeys.
type memoryRoomKeys struct {
	lock sync.Mutex
	keys []homeserver.RoomKey
}

func deviceOf(key homeserver.RoomKey) crypto.UserDevice {
	return crypto.UserDevice{UserID: key.User, DeviceID: key.Device}
}

func (m *memoryRoomKeys) Put(_ context.Context, keys []homeserver.RoomKey, _ int) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.keys = append(m.keys, keys...)
	return nil
}

func (m *memoryRoomKeys) Devices(_ context.Context, limit int) (devices []crypto.UserDevice, err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, key := range m.keys {
		if !slices.Contains(devices, deviceOf(key)) && len(devices) < limit {
			devices = append(devices, deviceOf(key))
		}
	}
	return devices, nil
}

func (m *memoryRoomKeys) Of(_ context.Context, device crypto.UserDevice, limit int) (keys []homeserver.RoomKey, err error) {
	m.lock.Lock()
	defer m.lock.Unlock()
	for _, key := range m.keys {
		if deviceOf(key) == device && len(keys) < limit {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (m *memoryRoomKeys) delete(which func(key homeserver.RoomKey) bool) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.keys = slices.DeleteFunc(m.keys, which)
	return nil
}

func (m *memoryRoomKeys) Delete(_ context.Context, device crypto.UserDevice, session id.SessionID) error {
	return m.delete(func(key homeserver.RoomKey) bool { return deviceOf(key) == device && key.Session == session })
}

func (m *memoryRoomKeys) DeleteDevice(_ context.Context, device crypto.UserDevice) error {
	return m.delete(func(key homeserver.RoomKey) bool { return deviceOf(key) == device })
}

func (m *memoryRoomKeys) DeleteOwner(_ context.Context, owner id.UserID) error {
	return m.delete(func(key homeserver.RoomKey) bool { return key.Owner == owner })
}

func (m *memoryRoomKeys) DeleteRoom(_ context.Context, room id.RoomID) error {
	return m.delete(func(key homeserver.RoomKey) bool { return key.Room == room })
}

func (m *memoryRoomKeys) Prune(context.Context, time.Time) error { return nil }

func (m *memoryRoomKeys) count() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return len(m.keys)
}
