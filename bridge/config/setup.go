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

var fileNames = []string{ConfigFile, RegistrationFile, DoublePuppetFile}

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
	if existing, err := Existing(dir); err != nil {
		return nil, err
	} else if len(existing) > 0 && !force {
		return nil, fmt.Errorf("%s: %w", existing[0], ErrExists)
	}
	var paths []string
	for _, name := range fileNames {
		if _, ok := files[name]; ok {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, path := range paths {
		if err = replaceFile(path, files[filepath.Base(path)], nil); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// Existing returns the files in dir that Write would overwrite.
func Existing(dir string) (paths []string, err error) {
	for _, name := range fileNames {
		path := filepath.Join(dir, name)
		if _, err = os.Lstat(path); err == nil {
			paths = append(paths, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return paths, nil
}

// Problem says what is wrong with the value of one key, such as homeserver.domain, and what to write instead; nil if nothing is. What is
// missing elsewhere does not matter.
func (s Setup) Problem(key string) error {
	_, err := s.Files()
	problems := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		problems = joined.Unwrap()
	}
	for _, problem := range problems {
		var wrong *Error
		if errors.As(problem, &wrong) && (wrong.Key == key || strings.HasPrefix(wrong.Key, key+"[")) {
			return fmt.Errorf("%s %s: %s", wrong.Key, wrong.Problem, wrong.Remedy)
		}
	}
	return nil
}

// GatekeeperFile reads entries for the gatekeepers key from a YAML file: one entry or a list of them.
func GatekeeperFile(path string) ([]Gatekeeper, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("failed to read the gatekeeper file, copy it to where the user who runs this may read it: %w", err)
	} else if err != nil {
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
