package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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
		return nil, syntaxError(name, err)
	}
	if err := decodeStrict(name, data, cfg); err != nil {
		return nil, err
	}
	cfg.resolvePaths(filepath.Dir(name))
	if err := cfg.overlayEnv(getenv); err != nil {
		return nil, err
	}
	if err := cfg.validate(name, linesOf(&root)); err != nil {
		return nil, err
	}
	return cfg, nil
}

// decodeStrict refuses keys that into does not have. An empty file changes nothing.
func decodeStrict(name string, data []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return syntaxError(name, err)
	}
	return nil
}

// resolvePaths makes file names relative to the config's directory, so that it does not matter where the daemon is
// started from.
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

var (
	unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type .*$`)
	otherError   = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	quotedValue  = regexp.MustCompile("`[^`]*`")
)

// syntaxError rewords what the YAML library says: file and line first, no Go types, and no values, which may be secrets.
func syntaxError(name string, err error) error {
	messages := []string{err.Error()}
	var typeError *yaml.TypeError
	if errors.As(err, &typeError) {
		messages = typeError.Errors
	}
	var problems []error
	for _, message := range messages {
		if match := unknownField.FindStringSubmatch(message); match != nil {
			problems = append(problems, fmt.Errorf("%s:%s: unknown key %q; `postern config` prints all keys", name, match[1], match[2]))
			continue
		}
		message = quotedValue.ReplaceAllString(message, "a value")
		if match := otherError.FindStringSubmatch(message); match != nil {
			problems = append(problems, fmt.Errorf("%s:%s: %s", name, match[1], match[2]))
			continue
		}
		problems = append(problems, fmt.Errorf("%s: %s", name, strings.TrimPrefix(message, "yaml: ")))
	}
	return errors.Join(problems...)
}

// linesOf maps the path of every key that the file has, such as "gatekeepers[0].id", to its line.
func linesOf(root *yaml.Node) map[string]int {
	lines := make(map[string]int)
	var walk func(prefix string, node *yaml.Node)
	walk = func(prefix string, node *yaml.Node) {
		switch node.Kind {
		case yaml.DocumentNode:
			for _, child := range node.Content {
				walk(prefix, child)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(node.Content); i += 2 {
				path := node.Content[i].Value
				if prefix != "" {
					path = prefix + "." + path
				}
				lines[path] = node.Content[i].Line
				walk(path, node.Content[i+1])
			}
		case yaml.SequenceNode:
			for i, child := range node.Content {
				path := fmt.Sprintf("%s[%d]", prefix, i)
				lines[path] = child.Line
				walk(path, child)
			}
		}
	}
	walk("", root)
	return lines
}
