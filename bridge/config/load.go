package config

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxFileSize bounds the config file and the files that secrets are read from. The example has 6 KiB.
const maxFileSize = 1 << 20

//go:embed example.yaml
var example string

// Example returns the commented example, whose values are the defaults.
func Example() string { return example }

// Default returns the example's values. It does not pass Validate, as the required keys are empty.
func Default() *Config {
	var cfg Config
	decoder := yaml.NewDecoder(strings.NewReader(example))
	decoder.KnownFields(true)
	if err := decoder.Decode(&cfg); err != nil {
		// The example is part of the program and a test reads it.
		panic(fmt.Errorf("embedded example config: %w", err))
	}
	return &cfg
}

// Load reads the file at path over the defaults, the environment over that, and validates the result. getenv is
// os.Getenv outside of tests. Errors are [*Error] where a key is to blame.
func Load(path string, getenv func(string) string) (*Config, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no config; `postern init` writes one: %w", err)
	} else if err != nil {
		return nil, fmt.Errorf("failed to read the config: %w", err)
	}
	return Parse(path, data, getenv)
}

// Parse is Load for a file that was read already. name is used in errors only.
func Parse(name string, data []byte, getenv func(string) string) (*Config, error) {
	cfg := Default()
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, syntaxError(name, nil, err)
	}
	if err := decodeStrict(name, "", data, cfg); err != nil {
		return nil, err
	}
	variables, err := cfg.overlayEnv(getenv)
	if err != nil {
		return nil, err
	}
	cfg.resolvePaths(filepath.Dir(name))
	if err := cfg.validate(&checker{file: name, lines: linesOf("", &root), variables: variables}); err != nil {
		return nil, err
	}
	return cfg, nil
}

// resolvePaths makes file names relative to the config's directory, so that it does not matter where the daemon is
// started from. That holds for names from the environment, too.
func (c *Config) resolvePaths(dir string) {
	paths := []*string{&c.SecretKeyFile, &c.Logging.File, &c.Public.MediaDir}
	if c.Database.Type == SQLite {
		paths = append(paths, &c.Database.URI)
	}
	if filepath.Base(c.FFmpeg) != c.FFmpeg { // a bare name is looked for where programs are
		paths = append(paths, &c.FFmpeg)
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFileSize)
	}
	return data, nil
}
