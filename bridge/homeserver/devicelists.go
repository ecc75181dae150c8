package homeserver

import (
	"context"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"
)

// secondLook is how long after news of a user's devices their keys are asked for once more. A device logs in first and publishes its
// keys then; Synapse tells appservices of the login and not always of the keys, so the first answer may not have the device.
const secondLook = 3 * time.Second

// secondLooks are the users whose devices are looked at once more. The zero value is ready. Safe for concurrent use.
type secondLooks struct {
	lock  sync.Mutex
	users map[id.UserID]struct{}
}

// plan has look called with the users after secondLook, unless ctx ends before. Users are left out who are to be looked at already: that comes
// after this news, too. spawn runs what it is given in the background.
func (s *secondLooks) plan(ctx context.Context, users []id.UserID, spawn func(func()), look func(users []id.UserID)) {
	planned := s.add(users)
	if len(planned) == 0 {
		return
	}
	spawn(func() {
		err := sleep(ctx, secondLook)
		s.taken(planned) // before the look, for news that comes during it
		if err == nil {
			look(planned)
		}
	})
}

// add returns those of the users who were not there.
func (s *secondLooks) add(users []id.UserID) (added []id.UserID) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.users == nil {
		s.users = make(map[id.UserID]struct{})
	}
	for _, user := range users {
		if _, planned := s.users[user]; !planned {
			s.users[user] = struct{}{}
			added = append(added, user)
		}
	}
	return added
}

func (s *secondLooks) taken(users []id.UserID) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, user := range users {
		delete(s.users, user)
	}
}

// handleDeviceLists takes in news of users' and contacts' devices.
func (m *megolm) handleDeviceLists(ctx context.Context, lists *mautrix.DeviceLists) {
	m.bot.machine.HandleDeviceLists(ctx, lists, "")
	m.puppets.doubt(lists.Changed)
}

// devicesChanged is handleDeviceLists for a transaction: it looks a second time soon after.
func (m *megolm) devicesChanged(ctx context.Context, lists *mautrix.DeviceLists) {
	m.handleDeviceLists(ctx, lists)
	life := m.connector.life
	if life.Err() != nil {
		return
	}
	users := slices.DeleteFunc(slices.Clone(lists.Changed), m.connector.intake.isOurs)
	m.looks.plan(life, users, m.background.Go, func(users []id.UserID) {
		m.bot.machine.HandleDeviceLists(m.log.WithContext(life), &mautrix.DeviceLists{Changed: users}, "")
	})
}

// lookInterval is how old what is known of the devices in a room may get while contacts write there.
const lookInterval = time.Minute

// maxLooks is how many rooms are remembered with their last look; of others it is not known, so they are looked at earlier.
const maxLooks = 4096

// regularLooks are the times when the devices in a room were asked for last. Where device lists come in transactions they are asked for
// without news, too: Synapse 1.163 now and then tells an appservice nothing of a new device, and whoever has that could read nothing of a
// session that goes on. The zero value is ready. Safe for concurrent use.
type regularLooks struct {
	lock  sync.Mutex
	rooms map[id.RoomID]time.Time
}

// took notes that the devices in a room are known now.
func (l *regularLooks) took(room id.RoomID) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.note(room)
}

// begin tells whether it is time for a look, which the caller then takes.
func (l *regularLooks) begin(room id.RoomID) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	if time.Since(l.rooms[room]) < lookInterval {
		return false
	}
	l.note(room)
	return true
}

// note is called with the lock held.
func (l *regularLooks) note(room id.RoomID) {
	if l.rooms == nil || len(l.rooms) >= maxLooks {
		l.rooms = make(map[id.RoomID]time.Time)
	}
	l.rooms[room] = time.Now()
}

// lookRegularly is called when a contact wrote into a room. It asks beside that for the devices in it, if that is due.
func (m *megolm) lookRegularly(room id.RoomID) {
	life := m.connector.life
	if !m.connector.toDevicePushed.Load() || life.Err() != nil || !m.regular.begin(room) {
		return
	}
	m.background.Go(func() {
		ctx := m.log.WithContext(life)
		members, err := m.members(ctx, room)
		if err != nil {
			m.log.Warn().Err(err).Stringer("room_id", room).Msg("Failed to list the members of a room, to look at their devices")
			return
		}
		m.bot.machine.HandleDeviceLists(ctx, &mautrix.DeviceLists{Changed: slices.DeleteFunc(members, m.isElsewhere)}, "")
	})
}

// isElsewhere tells of a user whether another server has their devices, which may be slow to answer.
func (m *megolm) isElsewhere(user id.UserID) bool {
	return user.Homeserver() != m.connector.Config.Homeserver.Domain
}
