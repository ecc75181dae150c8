package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/rs/zerolog"
)

// Logging says what is written where.
type Logging struct {
	Level string `yaml:"level"`
	// Levels has the levels of components that have one of their own, by one of [Components].
	Levels map[string]string `yaml:"levels"`
	Format string            `yaml:"format"`
	File   string            `yaml:"file"`
}

// Components of the daemon, as they are called in the log and in logging.levels.
const (
	// ComponentBridge is what decides what becomes of messages: logins, chats, commands, start and stop.
	ComponentBridge = "bridge"
	// ComponentHomeserver is what comes from the homeserver and goes there.
	ComponentHomeserver = "homeserver"
	// ComponentEncryption is the encryption of Matrix rooms.
	ComponentEncryption = "encryption"
	// ComponentInterop are the chat channels to the gatekeepers, with their encryption.
	ComponentInterop = "interop"
	// ComponentPartnerServer is what gatekeepers' servers ask.
	ComponentPartnerServer = "partner_server"
	// ComponentDatabase opens, copies and upgrades the database. Queries are of the component that makes them.
	ComponentDatabase = "database"
)

// Components are all that there are.
var Components = []string{
	ComponentBridge, ComponentHomeserver, ComponentEncryption, ComponentInterop, ComponentPartnerServer, ComponentDatabase,
}

const levelRemedy = "write trace, debug, info, warn or error"

// LevelOf is the level of a component. The config must have been validated.
func (l Logging) LevelOf(component string) zerolog.Level {
	text, own := l.Levels[component]
	if !own {
		text = l.Level
	}
	level, _ := parseLevel(text)
	return level
}

func parseLevel(text string) (level zerolog.Level, ok bool) {
	level, err := zerolog.ParseLevel(text)
	return level, err == nil && level >= zerolog.TraceLevel && level <= zerolog.ErrorLevel
}

func (c *Config) checkLogging(check *checker) {
	if _, ok := parseLevel(c.Logging.Level); !ok {
		check.add("logging.level", "is unknown", levelRemedy)
	}
	for _, component := range slices.Sorted(maps.Keys(c.Logging.Levels)) {
		key := "logging.levels." + component
		if check.variables["logging.levels"] != "" { // all of it was set there
			key = "logging.levels"
		}
		if !slices.Contains(Components, component) {
			check.add(key, "has no component "+component, "write "+nearestComponent(component))
		} else if _, ok := parseLevel(c.Logging.Levels[component]); !ok {
			check.add(key, "has an unknown level for "+component, levelRemedy)
		}
	}
	if c.Logging.Format != "text" && c.Logging.Format != "json" {
		check.add("logging.format", "is unknown", "write text or json")
	}
	if c.Logging.File != "" && strings.HasSuffix(c.Logging.File, string(filepath.Separator)) {
		check.add("logging.file", "is a directory", "write a file name or leave it empty")
	}
}

// nearestComponent names the component that was probably meant, and all others.
func nearestComponent(name string) string {
	list := strings.Join(Components, ", ")
	for _, component := range Components {
		if levenshtein.ComputeDistance(name, component) <= maxTypos {
			return component + "; the components are " + list
		}
	}
	return "one of " + list
}
