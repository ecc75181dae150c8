package connector

import (
	"context"
	"fmt"

	"postern/bridge/settings"
)

// settingChanges carry a change out that was stored, beside what looks at the value when it matters. They may say more to the user than
// that it is done. Settings that are not here need nothing to be carried out.
var settingChanges = map[*settings.Setting]func(ctx context.Context, c *Client, word string) (more string, err error){
	settings.ReadReceipts: changeReadReceipts,
	settings.Quiet:        changeQuiet,
	settings.Space:        changeSpace,
}

// setting tells what a setting of the login is, as one of its words.
func (c *Client) setting(kind *settings.Setting) string { return c.settings.Get(kind).Word }

// isOn is setting for one that can only be on or off.
func (c *Client) isOn(kind *settings.Setting) bool { return c.setting(kind) == settings.On }

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
	infos := make([]SettingInfo, 0, len(settings.All))
	for _, kind := range settings.All {
		value := c.settings.Get(kind)
		info := SettingInfo{Name: kind.Name, About: kind.About, Value: value.Word, Means: value.Means}
		for _, other := range kind.Values {
			info.Other = append(info.Other, SettingWord{Word: other.Word, Means: other.Means})
		}
		infos = append(infos, info)
	}
	return infos
}

// ChangeSetting changes a setting and returns a sentence about what that means now. Errors for the user are of type
// [refusal].
func (c *Client) ChangeSetting(ctx context.Context, name, word string) (string, error) {
	kind := settings.Find(name)
	if kind == nil {
		return "", refusal(fmt.Sprintf("There is no setting %q. `settings` lists them all.", cutWord(name)))
	}
	value, known := kind.Value(word)
	if !known {
		return "", refusal(fmt.Sprintf("`%s` can be %s.", kind.Name, kind.Words()))
	} else if c.enlistment == nil {
		return "", refusal(textNotEnlisted)
	}
	c.settings.Changing.Lock()
	defer c.settings.Changing.Unlock()
	if err := c.network.enlistments.SetSetting(ctx, c.enlistment.Account, kind.Name, value.Word); err != nil {
		return "", err
	}
	c.settings.Set(kind.Name, value.Word)
	answer := fmt.Sprintf("`%s` is `%s` for %s now: %s", kind.Name, value.Word, c.gatekeeperName(), value.Means)
	change := settingChanges[kind]
	if change == nil {
		return answer, nil
	}
	more, err := change(ctx, c, value.Word)
	if err != nil {
		return "", fmt.Errorf("failed to carry out the setting %s: %w", kind.Name, err)
	} else if more != "" {
		answer += " " + more
	}
	return answer, nil
}
