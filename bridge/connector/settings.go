package connector

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"postern/database"
)

// What users can set, for each gatekeeper. A setting is declared with what it is about, in the file that obeys it:
//
//	var settingTyping = onOff("typing", "Whether contacts see that you are typing", true)
//
// and gets a line in settingKinds. That is all: the command, the export and the provisioning interface read this list.

// settingKinds are all settings, in the order in which users see them.
var settingKinds = []*setting{settingWrite, settingReadReceipts, settingTyping, settingQuiet, settingSpace, settingHoldOnNewKey}

// setting is one thing that a user can set. Its name and values are stored, and typed by users: they never change.
type setting struct {
	name, about string
	// values are what it can be. The first is what it is as long as the user says nothing.
	values []settingValue
	// change carries a change out that was stored, beside what looks at the value when it matters. It may say more to the
	// user than that it is done. nil if there is nothing to carry out.
	change func(ctx context.Context, c *Client, value string) (more string, err error)
}

// settingValue is a word and a sentence that says what it means.
type settingValue struct{ word, means string }

const (
	on  = "on"
	off = "off"
)

// onOff makes a setting that is on at first.
func onOff(name, about, meansOn, meansOff string) *setting {
	return &setting{name: name, about: about, values: []settingValue{{on, meansOn}, {off, meansOff}}}
}

// value finds what a user means, in any case.
func (s *setting) value(word string) (settingValue, bool) {
	for _, value := range s.values {
		if strings.EqualFold(value.word, word) {
			return value, true
		}
	}
	return settingValue{}, false
}

// findSetting finds a setting by its name, in any case.
func findSetting(name string) *setting {
	for _, kind := range settingKinds {
		if strings.EqualFold(kind.name, name) {
			return kind
		}
	}
	return nil
}

// settings are those of one login. The zero value is what a user has who never set anything. Safe for concurrent use.
type settings struct {
	lock   sync.RWMutex
	stored map[string]string
	// changing is held while one is changed, so that what is stored and what was carried out are the same.
	changing sync.Mutex
}

func (s *settings) load(stored map[string]string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.stored = make(map[string]string, len(stored))
	for name, value := range stored {
		s.stored[name] = value
	}
}

func (s *settings) set(name, value string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.stored == nil {
		s.stored = make(map[string]string)
	}
	s.stored[name] = value
}

// settingOf tells what a setting is. A stored word that this version does not know counts as none.
func settingOf(stored map[string]string, kind *setting) settingValue {
	if value, known := kind.value(stored[kind.name]); known {
		return value
	}
	return kind.values[0]
}

// setting tells what a setting of the login is, as one of its words.
func (c *Client) setting(kind *setting) string {
	c.settings.lock.RLock()
	defer c.settings.lock.RUnlock()
	return settingOf(c.settings.stored, kind).word
}

// isOn is setting for one that is made by onOff.
func (c *Client) isOn(kind *setting) bool { return c.setting(kind) == on }

// SettingInfo is a setting as users see it.
type SettingInfo struct {
	Name  string        `json:"name"`
	About string        `json:"about"`
	Value string        `json:"value"`
	Means string        `json:"means"`
	Other []SettingWord `json:"values"`
}

// SettingWord is a value that a setting can have.
type SettingWord struct {
	Word  string `json:"value"`
	Means string `json:"means"`
}

// Settings returns all settings of the login with what they mean.
func (c *Client) Settings() []SettingInfo {
	c.settings.lock.RLock()
	defer c.settings.lock.RUnlock()
	infos := make([]SettingInfo, 0, len(settingKinds))
	for _, kind := range settingKinds {
		value := settingOf(c.settings.stored, kind)
		info := SettingInfo{Name: kind.name, About: kind.about, Value: value.word, Means: value.means}
		for _, other := range kind.values {
			info.Other = append(info.Other, SettingWord{Word: other.word, Means: other.means})
		}
		infos = append(infos, info)
	}
	return infos
}

// ChangeSetting changes a setting and returns a sentence about what that means now. Errors for the user are of type
// [refusal].
func (c *Client) ChangeSetting(ctx context.Context, name, word string) (string, error) {
	kind := findSetting(name)
	if kind == nil {
		return "", refusal(fmt.Sprintf("There is no setting %q. `settings` lists them all.", cutWord(name)))
	}
	value, known := kind.value(word)
	if !known {
		return "", refusal(fmt.Sprintf("`%s` can be %s.", kind.name, kind.words()))
	} else if c.enlistment == nil {
		return "", refusal(textNotEnlisted)
	}
	c.settings.changing.Lock()
	defer c.settings.changing.Unlock()
	if err := c.network.enlistments.SetSetting(ctx, c.enlistment.Account, kind.name, value.word); err != nil {
		return "", err
	}
	c.settings.set(kind.name, value.word)
	answer := fmt.Sprintf("`%s` is `%s` for %s now: %s", kind.name, value.word, c.gatekeeperName(), value.means)
	if kind.change == nil {
		return answer, nil
	}
	more, err := kind.change(ctx, c, value.word)
	if err != nil {
		return "", fmt.Errorf("failed to carry out the setting %s: %w", kind.name, err)
	} else if more != "" {
		answer += " " + more
	}
	return answer, nil
}

// words lists what the setting can be.
func (s *setting) words() string {
	words := make([]string, len(s.values))
	for i, value := range s.values {
		words[i] = "`" + value.word + "`"
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// exportSettings is what an export says about settings: all of them, set or not.
func exportSettings(enlistment *database.Enlistment) map[string]string {
	values := make(map[string]string, len(settingKinds))
	for _, kind := range settingKinds {
		values[kind.name] = settingOf(enlistment.Settings, kind).word
	}
	return values
}
