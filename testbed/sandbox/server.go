package sandbox

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"gopkg.in/yaml.v3"

	"postern/interop/wire"
	"postern/testbed/process"
)

const (
	// startTimeout bounds Start.
	startTimeout = 30 * time.Second

	configName  = "gatekeeper.yaml"
	rootKeyName = "gatekeeper.key"
	logName     = "log"

	enlistPath = "/3p/interop_reg"
	chatPath   = "/ws/chat"
)

// rootKey is shared by all sandboxes of a process: whatsmeow keeps what it trusts in a global variable.
var rootKey = wire.NewKeyPair()

// Partner is the service that may enlist its users.
type Partner struct {
	Integrator uint16 `yaml:"integrator"`
	Issuer     string `yaml:"issuer"`
	Audience   string `yaml:"audience"`
	// Name is what WhatsApp users read; empty is the issuer's host.
	Name string `yaml:"name"`
}

// Options say what to run. All must be set.
type Options struct {
	// Binary is the postern program.
	Binary string
	// Dir takes configuration, database and log. It must exist and be empty.
	Dir     string
	Partner Partner
}

// Server is one sandbox gatekeeper. Stopped and started again, it keeps its data and its addresses. Its methods are
// safe for concurrent use.
type Server struct {
	// Service is the process. Its Stop and Kill are the gatekeeper's.
	process.Service

	options     Options
	port        int
	controlPort int
}

// New prepares a gatekeeper without starting it.
func New(options Options) (*Server, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	controlPort, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	phonePort, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, port: port, controlPort: controlPort}
	config, err := yaml.Marshal(map[string]any{
		"listen":        process.Loopback(port),
		"control":       process.Loopback(controlPort),
		"phone":         process.Loopback(phonePort),
		"database":      "gatekeeper.db",
		"root_key_file": rootKeyName,
		"partners":      []Partner{options.Partner},
	})
	if err != nil {
		return nil, fmt.Errorf("failed to configure the gatekeeper: %w", err)
	}
	files := map[string][]byte{
		configName:  config,
		rootKeyName: []byte(hex.EncodeToString(rootKey.Priv[:]) + "\n"),
	}
	for name, content := range files {
		if err = os.WriteFile(filepath.Join(options.Dir, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("failed to configure the gatekeeper: %w", err)
		}
	}
	return s, nil
}

// RootKey is the public key that the chat server's certificates lead to.
func (s *Server) RootKey() [32]byte { return rootKey.Pub }

// EnlistURL is where partners enlist their users.
func (s *Server) EnlistURL() *url.URL { return s.address("http", enlistPath) }

// ChatURL is the chat server's websocket.
func (s *Server) ChatURL() *url.URL { return s.address("ws", chatPath) }

// MediaURL is the base of the media host.
func (s *Server) MediaURL() *url.URL { return s.address("http", "") }

func (s *Server) address(scheme, path string) *url.URL {
	return &url.URL{Scheme: scheme, Host: process.Loopback(s.port), Path: path}
}

// Partner is the service that may enlist its users.
func (s *Server) Partner() Partner { return s.options.Partner }

// LogFile is where the gatekeeper's output goes.
func (s *Server) LogFile() string { return filepath.Join(s.options.Dir, logName) }

// Start runs the gatekeeper and returns when it answers. It may be stopped and started again.
func (s *Server) Start(ctx context.Context) error {
	ready := func(ctx context.Context) error {
		_, err := s.Connections(ctx)
		return err
	}
	return s.Service.Start(ctx, process.Options{
		Name:    "gatekeeper",
		Path:    s.options.Binary,
		Args:    []string{"gatekeeper", "--config", filepath.Join(s.options.Dir, configName)},
		Dir:     s.options.Dir,
		LogFile: s.LogFile(),
	}, ready, startTimeout)
}

// Describe returns what the bridge's configuration needs to know of the gatekeeper, in YAML.
func (s *Server) Describe(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, s.options.Binary, "gatekeeper", "describe", "--config", filepath.Join(s.options.Dir, configName))
	description, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("failed to describe the gatekeeper: %w", err)
	}
	return description, nil
}
