package settings_test

import (
	"strings"
	"testing"

	"postern/bridge/settings"
)

func TestASettingIsItsFirstValueUntilAKnownOneIsStored(t *testing.T) {
	for _, setting := range settings.All {
		if settings.Find(strings.ToUpper(setting.Name)) != setting {
			t.Errorf("%s is not found by its name", setting.Name)
		}
		for _, stored := range []string{"", "a word of a later version"} {
			if got := setting.In(map[string]string{setting.Name: stored}); got != setting.Values[0] {
				t.Errorf("%s with %q stored is %q", setting.Name, stored, got.Word)
			}
		}
		var login settings.Settings
		for _, value := range setting.Values {
			login.Set(setting.Name, value.Word)
			if got := login.Get(setting); got != value || !strings.Contains(setting.Words(), "`"+value.Word+"`") {
				t.Errorf("%s was set to %q and is %q", setting.Name, value.Word, got.Word)
			}
		}
	}
	if settings.Find("colour") != nil {
		t.Error("a setting that there is not was found")
	}
}
