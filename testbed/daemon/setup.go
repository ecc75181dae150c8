package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"

	"postern/testbed/process"
)

const (
	// setupTimeout bounds `postern init`.
	setupTimeout = 30 * time.Second

	gatekeepersName  = "gatekeepers.yaml"
	configName       = "config.yaml"
	registrationName = "registration.yaml"
	doublePuppetName = "doublepuppet.yaml"
	secretKeyName    = "postern.key"
	logName          = "log"

	botLocalpart = "postern"
)

// ErrSetup is wrapped by errors about a `postern init` that failed.
var ErrSetup = errors.New("postern init failed")

// Options say what to run. All but the log level must be set.
type Options struct {
	// Binary is the postern program.
	Binary string
	// Dir takes configuration, database and log. It must exist and be empty.
	Dir string
	// HomeserverURL and Domain name the homeserver.
	HomeserverURL string
	Domain        string
	// LogLevel is info if it is empty.
	LogLevel string
	// PostgresURI is the database; a file in Dir if it is empty.
	PostgresURI string
}

// Daemon is one bridge. Its methods are safe for concurrent use, except Setup and EditConfig.
type Daemon struct {
	// Service is the process. Its Stop and Kill are the bridge's.
	process.Service

	options    Options
	port       int
	publicPort int
	adminPort  int
}

// New picks the bridge's addresses. A gatekeeper has to know the public one before the bridge is set up.
func New(options Options) (*Daemon, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	publicPort, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	adminPort, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	return &Daemon{options: options, port: port, publicPort: publicPort, adminPort: adminPort}, nil
}

// PublicURL is the partner server's address, which is also the issuer of identity tokens.
func (d *Daemon) PublicURL() string { return "http://" + process.Loopback(d.publicPort) }

// URL is where the homeserver and the users of the provisioning interface reach the bridge.
func (d *Daemon) URL() string { return "http://" + process.Loopback(d.port) }

// AdminURL is where health and metrics are.
func (d *Daemon) AdminURL() string { return "http://" + process.Loopback(d.adminPort) }

// BotID is the Matrix ID of the bot that users talk to.
func (d *Daemon) BotID() string { return "@" + botLocalpart + ":" + d.options.Domain }

// Dir holds everything that the bridge writes.
func (d *Daemon) Dir() string { return d.options.Dir }

// ConfigFile is the configuration that Setup made.
func (d *Daemon) ConfigFile() string { return filepath.Join(d.options.Dir, configName) }

// SecretKeyFile holds the key that the bridge encrypts its database with.
func (d *Daemon) SecretKeyFile() string { return filepath.Join(d.options.Dir, secretKeyName) }

// Registrations are the files that the homeserver has to load.
func (d *Daemon) Registrations() []string {
	return []string{
		filepath.Join(d.options.Dir, registrationName),
		filepath.Join(d.options.Dir, doublePuppetName),
	}
}

// Setup runs `postern init`, as an admin would, and returns what it printed. gatekeepers is what the gatekeeper's owner
// hands out: YAML with the entries for the configuration.
func (d *Daemon) Setup(ctx context.Context, gatekeepers []byte) (string, error) {
	gatekeepersFile := filepath.Join(d.options.Dir, gatekeepersName)
	if err := os.WriteFile(gatekeepersFile, gatekeepers, 0o600); err != nil {
		return "", fmt.Errorf("failed to describe the gatekeepers: %w", err)
	}
	args := []string{
		"init",
		"--dir", d.options.Dir,
		"--homeserver", d.options.HomeserverURL,
		"--domain", d.options.Domain,
		"--listen", process.Loopback(d.port),
		"--public-listen", process.Loopback(d.publicPort),
		"--public-url", d.PublicURL(),
		"--admin-listen", process.Loopback(d.adminPort),
		"--gatekeeper", gatekeepersFile,
	}
	if d.options.PostgresURI != "" {
		args = append(args, "--database-type", "postgres", "--database-uri", d.options.PostgresURI)
	}
	if d.options.LogLevel != "" {
		args = append(args, "--log-level", d.options.LogLevel)
	}
	ctx, cancel := context.WithTimeout(ctx, setupTimeout)
	defer cancel()
	output, err := exec.CommandContext(ctx, d.options.Binary, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %w\n%s", ErrSetup, err, output)
	}
	return string(output), nil
}

// EditConfig changes the configuration before the next start.
func (d *Daemon) EditConfig(edit func(config map[string]any)) error {
	content, err := os.ReadFile(d.ConfigFile())
	if err != nil {
		return fmt.Errorf("failed to read the configuration: %w", err)
	}
	var config map[string]any
	if err = yaml.Unmarshal(content, &config); err != nil {
		return fmt.Errorf("failed to parse the configuration: %w", err)
	}
	edit(config)
	if content, err = yaml.Marshal(config); err != nil {
		return fmt.Errorf("failed to write the configuration: %w", err)
	}
	return os.WriteFile(d.ConfigFile(), content, 0o600)
}

// Secrets are the values in the configuration that only the homeserver, the admin and the bridge may know.
type Secrets struct {
	ASToken            string
	HSToken            string
	DoublePuppetToken  string
	ProvisioningSecret string
}

// Secrets reads the configuration.
func (d *Daemon) Secrets() (Secrets, error) {
	content, err := os.ReadFile(d.ConfigFile())
	if err != nil {
		return Secrets{}, fmt.Errorf("failed to read the configuration: %w", err)
	}
	var config struct {
		Appservice struct {
			ASToken string `yaml:"as_token"`
			HSToken string `yaml:"hs_token"`
		} `yaml:"appservice"`
		DoublePuppet struct {
			ASToken string `yaml:"as_token"`
		} `yaml:"double_puppet"`
		Provisioning struct {
			SharedSecret string `yaml:"shared_secret"`
		} `yaml:"provisioning"`
	}
	if err = yaml.Unmarshal(content, &config); err != nil {
		return Secrets{}, fmt.Errorf("failed to parse the configuration: %w", err)
	}
	return Secrets{
		ASToken:            config.Appservice.ASToken,
		HSToken:            config.Appservice.HSToken,
		DoublePuppetToken:  config.DoublePuppet.ASToken,
		ProvisioningSecret: config.Provisioning.SharedSecret,
	}, nil
}
