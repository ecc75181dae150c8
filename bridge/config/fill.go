package config

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// thirdLevel is how keys below the second level are indented.
const thirdLevel = "        "

// Fill returns the example with some values replaced and all comments kept. values maps paths such as
// "homeserver.domain" to what stands there instead; it fails on a path that the example does not have. Keys below the
// second level stay as they are.
//
// It works on text, because yaml.v3 can keep comments but not blank lines, and this file is made to be read.
func Fill(values map[string]any) (string, error) {
	var out strings.Builder
	var section string
	done := make(map[string]bool, len(values))
	for line := range strings.Lines(example) {
		key, _, isKey := strings.Cut(strings.TrimSpace(line), ":")
		if !isKey || strings.HasPrefix(key, "#") || strings.HasPrefix(line, thirdLevel) {
			out.WriteString(line)
			continue
		}
		path := key
		if line[0] == ' ' {
			path = section + "." + key
		} else {
			section = key
		}
		value, replaced := values[path]
		if !replaced {
			out.WriteString(line)
			continue
		}
		done[path] = true
		text, err := fillValue(value)
		if err != nil {
			return "", fmt.Errorf("failed to write %s: %w", path, err)
		}
		out.WriteString(line[:strings.Index(line, ":")+1] + text + "\n")
	}
	for path := range values {
		if !done[path] {
			return "", fmt.Errorf("the example config has no key %s", path)
		}
	}
	return out.String(), nil
}

// fillValue renders what follows the colon: a scalar on the same line, a list below it.
func fillValue(value any) (string, error) {
	data, err := yaml.Marshal(value)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\n")
	if !strings.Contains(text, "\n") && !strings.HasPrefix(text, "- ") {
		return " " + text, nil
	}
	return "\n    " + strings.ReplaceAll(text, "\n", "\n    "), nil
}
