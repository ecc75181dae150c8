package gatekeeper

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/proto/waWa6"
	"gopkg.in/yaml.v3"
)

//go:embed example.yaml
var exampleConfig string

// ExampleConfig returns a commented config that works as it is; it is the source of all defaults.
func ExampleConfig() string { return exampleConfig }

// Config is the sandbox's config file. [ExampleConfig] describes every key.
type Config struct {
	Listen         string    `yaml:"listen"`
	Address        string    `yaml:"address"` // empty is Listen
	Control        string    `yaml:"control"`
	Phone          string    `yaml:"phone"`        // empty serves no page
	ExposePhone    bool      `yaml:"expose_phone"` // Phone need not be a loopback address
	Database       string    `yaml:"database"`
	MediaDir       string    `yaml:"media_dir"` // empty is a folder named media beside the database
	RootKeyFile    string    `yaml:"root_key_file"`
	Product        Product   `yaml:"product"`
	MinimumVersion Version   `yaml:"minimum_version"`
	PushIssuer     string    `yaml:"push_issuer"` // empty sends no pushes
	Partners       []Partner `yaml:"partners"`
}

// Partner is a service that may enlist its users.
type Partner struct {
	Integrator uint16 `yaml:"integrator"`
	Issuer     string `yaml:"issuer"`
	Audience   string `yaml:"audience"`
	Name       string `yaml:"name"`      // empty is the issuer's host
	MediaURL   string `yaml:"media_url"` // empty is below the issuer
	PushURL    string `yaml:"push_url"`  // empty is below the issuer
}

// pushURL is where the partner is told that something waits for one of its users.
func (p Partner) pushURL() string { return cmp.Or(p.PushURL, p.Issuer+"/push") }

// title is what WhatsApp users read when they choose whom to exchange messages with.
func (p Partner) title() string {
	if p.Name != "" {
		return p.Name
	}
	address, err := url.Parse(p.Issuer)
	if err != nil {
		return p.Issuer
	}
	return address.Host
}

// mediaBase is what a partner's storage references are below.
func (p Partner) mediaBase() string {
	if p.MediaURL == "" {
		return p.Issuer + "/media"
	}
	return p.MediaURL
}

// PublicAddress is where partners and WhatsApp clients reach the sandbox, as host:port.
func (c *Config) PublicAddress() string { return cmp.Or(c.Address, c.Listen) }

// mediaDir is the folder for uploaded files.
func (c *Config) mediaDir() string {
	if c.MediaDir == "" {
		return filepath.Join(filepath.Dir(c.Database), "media")
	}
	return c.MediaDir
}

// phoneDatabase is the file with the keys of the page's phones.
func (c *Config) phoneDatabase() string {
	return strings.TrimSuffix(c.Database, filepath.Ext(c.Database)) + "-phones.db"
}

// maxConfig bounds the config file, in bytes.
const maxConfig = 1 << 20

// LoadConfig reads a config file. Unknown keys are errors; keys that are missing have the example's values. Relative
// paths in it are below the file's folder.
func LoadConfig(path string) (*Config, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the gatekeeper's config: %w", err)
	} else if len(content) > maxConfig {
		return nil, fmt.Errorf("%s is over %d bytes", path, maxConfig)
	}
	config, err := parseConfig(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, file := range []*string{&config.Database, &config.MediaDir, &config.RootKeyFile} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(path), *file)
		}
	}
	return config, nil
}

func parseConfig(content []byte) (*Config, error) {
	var config Config
	if err := yaml.Unmarshal([]byte(exampleConfig), &config); err != nil {
		return nil, fmt.Errorf("embedded example: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil {
		return nil, err
	}
	return &config, config.validate()
}

func (c *Config) validate() error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for key, address := range map[string]string{"listen": c.Listen, "address": c.PublicAddress(), "control": c.Control, "phone": c.Phone} {
		host, _, err := net.SplitHostPort(address)
		switch {
		case key == "phone" && address == "":
		case err != nil:
			complain("%s: %q is not host:port", key, address)
		case key == "phone" && c.ExposePhone:
		case (key == "control" || key == "phone") && host != "localhost" && !net.ParseIP(host).IsLoopback():
			complain("%s: %q must be a loopback address: everyone who reaches it can do everything", key, address)
		}
	}
	for key, file := range map[string]string{"database": c.Database, "root_key_file": c.RootKeyFile} {
		if file == "" {
			complain("%s: must name a file", key)
		}
	}
	if _, known := products[c.Product]; !known {
		complain("product: %q is neither whatsapp nor messenger", c.Product)
	}
	seen := make(map[uint16]bool)
	for i := range c.Partners {
		p := &c.Partners[i]
		p.Issuer, p.MediaURL = strings.TrimSuffix(p.Issuer, "/"), strings.TrimSuffix(p.MediaURL, "/")
		if !isWebAddress(p.Issuer) {
			complain("partners[%d].issuer: %q is not an http or https URL", i, p.Issuer)
		}
		if p.MediaURL != "" && !isWebAddress(p.MediaURL) {
			complain("partners[%d].media_url: %q is not an http or https URL", i, p.MediaURL)
		}
		if p.PushURL != "" && !isWebAddress(p.PushURL) {
			complain("partners[%d].push_url: %q is not an http or https URL", i, p.PushURL)
		}
		if p.Integrator == 0 || seen[p.Integrator] {
			complain("partners[%d].integrator: must be a number from 1 to 65535 that no other partner has", i)
		}
		if p.Audience == "" {
			complain("partners[%d].audience: must not be empty", i)
		}
		seen[p.Integrator] = true
	}
	return errors.Join(problems...)
}

func isWebAddress(text string) bool {
	address, err := url.Parse(text)
	return err == nil && address.Host != "" && (address.Scheme == "http" || address.Scheme == "https")
}

// Product is the service that the sandbox plays.
type Product string

// products are the values of ClientPayload.Product that partner clients log in with.
var products = map[Product]waWa6.ClientPayload_Product{
	"whatsapp":  waWa6.ClientPayload_INTEROP,
	"messenger": waWa6.ClientPayload_INTEROP_MSGR,
}

func (p Product) wire() waWa6.ClientPayload_Product { return products[p] }

// Version is a protocol version, major.minor.patch.
type Version [3]uint32

// ParseVersion parses text such as 1.0.3.
func ParseVersion(text string) (v Version, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != len(v) {
		return v, fmt.Errorf("version %.20q is not of the form 1.0.3", text)
	}
	for i, part := range parts {
		number, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return v, fmt.Errorf("version %.20q is not of the form 1.0.3", text)
		}
		v[i] = uint32(number)
	}
	return v, nil
}

// UnmarshalYAML reads the text form.
func (v *Version) UnmarshalYAML(node *yaml.Node) (err error) {
	if *v, err = ParseVersion(node.Value); err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	return nil
}

// Less tells whether v is older than other.
func (v Version) Less(other Version) bool {
	for i := range v {
		if v[i] != other[i] {
			return v[i] < other[i]
		}
	}
	return false
}
