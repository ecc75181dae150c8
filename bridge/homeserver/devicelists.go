package homeserver

import (
	"context"
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

// add tells whether a look at the user has to be planned, which begins with taken.
func (s *secondLooks) add(user id.UserID) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if _, planned := s.users[user]; planned {
		return false
	}
	if s.users == nil {
		s.users = make(map[id.UserID]struct{})
	}
	s.users[user] = struct{}{}
	return true
}

func (s *secondLooks) taken(users []id.UserID) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, user := range users {
		delete(s.users, user)
	}
}

// devicesChanged takes in news of users' devices from a transaction, and looks a second time soon after.
func (m *megolm) devicesChanged(ctx context.Context, lists *mautrix.DeviceLists) {
	machine := m.bot.machine
	machine.HandleDeviceLists(ctx, lists, "")
	var again []id.UserID
	for _, user := range lists.Changed {
		if !m.connector.intake.isOurs(user) && m.looks.add(user) {
			again = append(again, user)
		}
	}
	if len(again) == 0 || m.connector.life.Err() != nil {
		return
	}
	m.background.Go(func() {
		err := sleep(m.connector.life, secondLook)
		m.looks.taken(again)
		if err == nil {
			machine.HandleDeviceLists(m.log.WithContext(m.connector.life), &mautrix.DeviceLists{Changed: again}, "")
		}
	})
}
