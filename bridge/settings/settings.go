// Package settings is what users can set, for each gatekeeper: which settings there are, what they can be, and what that means in plain
// words. What a setting does is up to the code that obeys it.
package settings

import (
	"maps"
	"strings"
	"sync"
)

// All are all settings, in the order in which users see them. The command, the export and the provisioning interface read this list.
var All = []*Setting{Write, ReadReceipts, Typing, Quiet, Space, HoldOnNewKey}

// Setting is one thing that a user can set. Its name and values are stored, and typed by users: they never change.
type Setting struct {
	Name, About string
	// Values are what it can be. The first is what it is as long as the user says nothing.
	Values []Value
}

// Value is a word and a sentence that says what it means.
type Value struct{ Word, Means string }

// Words of settings that can only be on or off.
const (
	On  = "on"
	Off = "off"
)

// Find finds a setting by its name, in any case. It returns nil if there is none.
func Find(name string) *Setting {
	for _, setting := range All {
		if strings.EqualFold(setting.Name, name) {
			return setting
		}
	}
	return nil
}

// Value finds what a user means, in any case.
func (s *Setting) Value(word string) (Value, bool) {
	for _, value := range s.Values {
		if strings.EqualFold(value.Word, word) {
			return value, true
		}
	}
	return Value{}, false
}

// Words lists what the setting can be, for people.
func (s *Setting) Words() string {
	words := make([]string, len(s.Values))
	for i, value := range s.Values {
		words[i] = "`" + value.Word + "`"
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// In tells what a setting is, among what is stored of a user by name. A stored word that this version does not know counts as none.
func (s *Setting) In(stored map[string]string) Value {
	if value, known := s.Value(stored[s.Name]); known {
		return value
	}
	return s.Values[0]
}

// WordsIn tells what all settings are, set or not, by name.
func WordsIn(stored map[string]string) map[string]string {
	words := make(map[string]string, len(All))
	for _, setting := range All {
		words[setting.Name] = setting.In(stored).Word
	}
	return words
}

// Settings are those of one login. The zero value is what a user has who never set anything. Safe for concurrent use.
type Settings struct {
	lock   sync.RWMutex
	stored map[string]string
	// Changing is held by whoever changes one, so that what is stored and what was carried out are the same.
	Changing sync.Mutex
}

// Load takes what is stored of the login, by name.
func (s *Settings) Load(stored map[string]string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.stored = maps.Clone(stored)
}

// Set notes what is stored of the login from now on. The name need not be a setting's.
func (s *Settings) Set(name, value string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.stored == nil {
		s.stored = make(map[string]string)
	}
	s.stored[name] = value
}

// Stored is what is stored by a name, "" if nothing is.
func (s *Settings) Stored(name string) string {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.stored[name]
}

// Get tells what a setting is.
func (s *Settings) Get(setting *Setting) Value {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return setting.In(s.stored)
}
