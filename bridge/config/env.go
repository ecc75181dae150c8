package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// envPrefix starts the name of every environment variable that is read.
const envPrefix = "POSTERN_"

// fileSuffix ends the name of a variable that names a file with the value.
const fileSuffix = "_FILE"

// overlayEnv sets what the environment has for any key, in a variable or in the file that a variable with _FILE at its end
// names. Both at once is an error, since nobody could tell which one counts. It returns which variable set which key.
func (c *Config) overlayEnv(getenv func(string) string) (map[string]string, error) {
	keys, from := c.keys(), make(map[string]string)
	variables := make(map[string]bool, len(keys))
	for _, key := range keys {
		variables[key.variable()] = true
	}
	for _, key := range keys {
		variable := key.variable()
		value, file := getenv(variable), variable+fileSuffix
		path := getenv(file)
		switch {
		case value != "" && path != "":
			return nil, fmt.Errorf("both %s and %s are set; unset one of them", variable, file)
		case value != "":
		case path == "" || variables[file]:
			// POSTERN_SECRET_KEY_FILE is a key itself: that file is made at the first start, with a check of its mode.
			continue
		default:
			data, err := readFile(path)
			if err != nil {
				return nil, fmt.Errorf("failed to read the file that %s names: %w", file, err)
			}
			variable = file
			if value = strings.TrimSpace(string(data)); value == "" {
				return nil, fmt.Errorf("the file that %s names is empty", file)
			}
		}
		if err := key.set(variable, value); err != nil {
			return nil, err
		}
		from[key.path] = variable
	}
	return from, nil
}

// set reads a value as it would stand in the file. Texts are taken as they are, without quotes, and lists of texts may be
// separated by commas, as maps may be: interop=debug,homeserver=warn.
func (k key) set(variable, text string) error {
	switch {
	case k.value.Kind() == reflect.String:
		k.value.SetString(text)
		return nil
	case k.value.Type() == reflect.TypeFor[[]string]() && !strings.HasPrefix(text, "["):
		var list []string
		for entry := range strings.SplitSeq(text, ",") {
			if entry = strings.TrimSpace(entry); entry != "" {
				list = append(list, entry)
			}
		}
		k.value.Set(reflect.ValueOf(list))
		return nil
	}
	if k.value.Type() == reflect.TypeFor[map[string]string]() && !strings.HasPrefix(text, "{") {
		text = "{" + strings.ReplaceAll(text, "=", ": ") + "}"
	}
	k.value.SetZero() // a list replaces the one of the file
	return decodeStrict(variable, k.path, []byte(text), k.value.Addr().Interface())
}

// UnknownVariables returns the names in an environment, as os.Environ returns it, that start as ours do and are no key's. They are
// no error, since platforms set such names too.
func UnknownVariables(environ []string) []string {
	known := make(map[string]bool)
	for _, key := range Default().keys() {
		known[key.variable()], known[key.variable()+fileSuffix] = true, true
	}
	var unknown []string
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, envPrefix) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
