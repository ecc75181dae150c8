package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/appservice"
)

// The files that Setup writes.
const (
	ConfigFile       = "config.yaml"
	RegistrationFile = "registration.yaml"
	DoublePuppetFile = "doublepuppet.yaml"
)

// ErrExists: Setup would overwrite a file.
var ErrExists = errors.New("file exists already")

// Setup is what an admin has to decide before the first start. Empty fields keep the example's values.
type Setup struct {
	HomeserverAddress string
	HomeserverDomain  string
	// BridgeAddress is where the homeserver reaches the bridge; by default it follows Listen.
	BridgeAddress string
	Listen        string
	PublicListen  string
	PublicURL     string
	AdminListen   string
	DatabaseType  DatabaseType
	DatabaseURI   string
	Gatekeepers   []Gatekeeper
	Admins        []string
	LogLevel      string
	LogFile       string
	// WithoutDoublePuppet leaves doublepuppet.yaml out.
	WithoutDoublePuppet bool
}

// Files returns the content of every file that Setup writes, by name. The tokens in it are new each time.
func (s Setup) Files() (map[string]string, error) {
	values := map[string]any{
		"appservice.as_token":        NewToken(),
		"appservice.hs_token":        NewToken(),
		"provisioning.shared_secret": NewToken(),
	}
	set := func(path, value string) {
		if value != "" {
			values[path] = value
		}
	}
	set("homeserver.address", s.HomeserverAddress)
	set("homeserver.domain", s.HomeserverDomain)
	if s.BridgeAddress == "" && s.Listen != "" {
		s.BridgeAddress = "http://" + s.Listen
	}
	set("appservice.address", s.BridgeAddress)
	set("appservice.listen", s.Listen)
	set("public.listen", s.PublicListen)
	set("public.url", s.PublicURL)
	set("admin.listen", s.AdminListen)
	set("database.type", string(s.DatabaseType))
	set("database.uri", s.DatabaseURI)
	set("logging.level", s.LogLevel)
	set("logging.file", s.LogFile)
	if len(s.Gatekeepers) > 0 {
		values["gatekeepers"] = s.Gatekeepers
	}
	if len(s.Admins) > 0 {
		values["admins"] = s.Admins
	}
	if !s.WithoutDoublePuppet {
		values["double_puppet.as_token"] = NewToken()
	}
	text, err := Fill(values)
	if err != nil {
		return nil, err
	}
	cfg, err := Parse(ConfigFile, []byte(text), func(string) string { return "" })
	if err != nil {
		return nil, err
	}
	files := map[string]string{ConfigFile: text}
	if files[RegistrationFile], err = encode(cfg.Registration(NewToken())); err != nil {
		return nil, err
	}
	if !s.WithoutDoublePuppet {
		text, err := encode(cfg.DoublePuppetRegistration(NewToken(), NewToken()))
		if err != nil {
			return nil, err
		}
		// mautrix' type writes an empty string, to which Synapse then tries to push.
		files[DoublePuppetFile] = strings.Replace(text, `url: ""`, "url: null", 1)
	}
	return files, nil
}

func encode(registration *appservice.Registration) (string, error) {
	data, err := yaml.Marshal(registration)
	if err != nil {
		return "", fmt.Errorf("failed to encode the registration: %w", err)
	}
	return string(data), nil
}

// Write makes the files in dir, which is made if it is not there, with mode 0600. Unless force is set it changes
// nothing if one of them exists. It returns the paths that it wrote, the config first.
func (s Setup) Write(dir string, force bool) ([]string, error) {
	files, err := s.Files()
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, name := range []string{ConfigFile, RegistrationFile, DoublePuppetFile} {
		path := filepath.Join(dir, name)
		if _, err = os.Lstat(path); err == nil && !force {
			return nil, fmt.Errorf("%s: %w", path, ErrExists)
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if _, ok := files[name]; ok {
			paths = append(paths, path)
		}
	}
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err = writeSecret(path, files[filepath.Base(path)]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// writeSecret replaces the file in one step, so that nobody ever reads half of it or one with a wider mode.
func writeSecret(path, content string) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".postern-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err = file.WriteString(content); err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}

// GatekeeperFile reads entries for the gatekeepers key from a YAML file: one entry or a list of them.
func GatekeeperFile(path string) ([]Gatekeeper, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the gatekeeper file: %w", err)
	}
	var list []Gatekeeper
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("-")) {
		return list, decodeStrict(path, "gatekeepers", data, &list)
	}
	var one Gatekeeper
	err = decodeStrict(path, "gatekeepers", data, &one)
	return []Gatekeeper{one}, err
}

// HomeserverHint says what to add to the homeserver's own configuration, for the registrations at these paths.
func HomeserverHint(registrations []string) string {
	hint := "Add this to the homeserver's configuration and restart it.\n\nSynapse (homeserver.yaml):\n\n    app_service_config_files:\n"
	for _, path := range registrations {
		hint += "      - " + path + "\n"
	}
	hint += "    experimental_features:\n" +
		"      msc2409_to_device_messages_enabled: true\n" +
		"      msc3202_device_masquerading: true\n" +
		"      msc3202_transaction_extensions: true\n" +
		"\nDendrite (dendrite.yaml):\n\n    app_service_api:\n      config_files:\n"
	for _, path := range registrations {
		hint += "        - " + path + "\n"
	}
	return hint
}
