package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"

	"postern/bridge/config"
)

// anewRemedy is for a registration that is damaged. postern init would make new tokens, which are those of nobody yet.
const anewRemedy = "If it is damaged: copy the one back that the homeserver has. If that is lost, too: `postern init` in an empty folder makes another, " +
	"into which the tokens of this config belong."

// registration compares the registration beside the config with the config. What the homeserver itself loaded is homeserver's.
func (e *examination) registration(context.Context) []Finding {
	if e.ConfigFile == "" {
		return nil
	}
	const check = "registration.equal"
	path := filepath.Join(filepath.Dir(e.ConfigFile), config.RegistrationFile)
	err := e.Config.CheckRegistration(path)
	var differs *config.RegistrationError
	findings := make([]Finding, 1)
	switch {
	case err == nil:
		findings[0] = fine(check, "registration.yaml says the same as the config.")
	case errors.Is(err, fs.ErrNotExist):
		findings[0] = note(check, "There is no registration.yaml beside the config, so it was not compared.", "")
	case errors.As(err, &differs):
		findings[0] = fault(check, "In registration.yaml, "+differs.Field+" is not what the config says.",
			"Correct it there or in the config, copy the registration to the homeserver, and restart both.")
	default:
		findings[0] = fault(check, "registration.yaml cannot be read: "+fileCause(err)+".", "Make it readable for the bridge's user. "+anewRemedy)
	}
	if finding, ok := e.doublePuppetFile(); ok {
		findings = append(findings, finding)
	}
	return findings
}

// doublePuppetFile compares the token in doublepuppet.yaml. Without a file or a token there is nothing to compare.
func (e *examination) doublePuppetFile() (Finding, bool) {
	if e.Config.DoublePuppet.ASToken == "" {
		return Finding{}, false
	}
	const check = "registration.double_puppet"
	data, err := os.ReadFile(filepath.Join(filepath.Dir(e.ConfigFile), config.DoublePuppetFile))
	if err != nil {
		return Finding{}, false
	}
	var registration appservice.Registration
	switch {
	case yaml.Unmarshal(data, &registration) != nil:
		return fault(check, "doublepuppet.yaml cannot be read: it is not YAML of a registration.", anewRemedy), true
	case registration.AppToken != e.Config.DoublePuppet.ASToken:
		return fault(check, "In doublepuppet.yaml, as_token is not double_puppet.as_token of the config.",
			"Correct one of them, copy the registration to the homeserver, and restart both."), true
	}
	return fine(check, "doublepuppet.yaml says the same as the config."), true
}
