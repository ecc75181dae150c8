package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"gopkg.in/yaml.v3"
)

// decodeStrict refuses keys that into does not have. An empty file changes nothing. name is the file in errors, section the
// key that the whole of data belongs to, "" for a config.
func decodeStrict(name, section string, data []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	err := decoder.Decode(into)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var root yaml.Node
	var lines map[string]int
	if yaml.Unmarshal(data, &root) == nil {
		lines = linesOf(section, &root)
	}
	return syntaxError(name, lines, err)
}

var (
	unknownField = regexp.MustCompile(`^line (\d+): field (\S+) not found in type .*$`)
	wrongType    = regexp.MustCompile("^line (\\d+): cannot unmarshal \\S+ (?:`[^`]*` )?into (\\S+)$")
	otherError   = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	quotedValue  = regexp.MustCompile("`[^`]*`")
	listIndex    = regexp.MustCompile(`\[\d+\]`)
)

// syntaxError rewords what the YAML library says: file and line first, no Go types, and no values, which may be secrets.
func syntaxError(name string, lines map[string]int, err error) error {
	messages := []string{err.Error()}
	var typeError *yaml.TypeError
	if errors.As(err, &typeError) {
		messages = typeError.Errors
	}
	var problems []error
	for _, message := range messages {
		if match := unknownField.FindStringSubmatch(message); match != nil {
			problems = append(problems, fmt.Errorf("%s:%s: unknown key %q; %s", name, match[1], match[2], nearestKey(lines, match[1], match[2])))
			continue
		}
		if match := wrongType.FindStringSubmatch(message); match != nil {
			problems = append(problems, fmt.Errorf("%s:%s: %s", name, match[1], typeMistake(lines, match[1], match[2])))
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

const (
	listKeys = "`postern config` prints all keys"
	// maxTypos is how many letters may differ for a name to be the one that was meant.
	maxTypos = 3
)

// nearestKey says which key was probably meant by one that does not exist: one of the same section with a name like it, or else
// one of the same name in another section.
func nearestKey(lines map[string]int, line, name string) string {
	section := ""
	for _, path := range pathsAt(lines, line) {
		if at := strings.LastIndex(path, "."); path[at+1:] == name {
			section = listIndex.ReplaceAllString(path[:max(at, 0)], "")
		}
	}
	known, best, typos := knownNames(), "", min(maxTypos, len(name)/2)+1
	for _, candidate := range known[section] {
		if distance := levenshtein.ComputeDistance(name, candidate); distance < typos {
			best, typos = candidate, distance
		}
	}
	if best != "" {
		return fmt.Sprintf("is %q meant? (%s)", best, listKeys)
	}
	for elsewhere, names := range known {
		if slices.Contains(names, name) && elsewhere != section {
			best = max(best, join(elsewhere, name))
		}
	}
	if best != "" {
		return fmt.Sprintf("is %q meant? (%s)", best, listKeys)
	}
	return listKeys
}

// typeMistake says what a key's value has to be.
func typeMistake(lines map[string]int, line, goType string) string {
	what := "this"
	paths := slices.DeleteFunc(pathsAt(lines, line), func(path string) bool { return strings.HasSuffix(path, "]") })
	if len(paths) > 0 {
		innermost := paths[len(paths)-1]
		if !slices.ContainsFunc(paths, func(path string) bool { return !strings.HasPrefix(innermost, path) }) {
			what = innermost
		}
	}
	switch {
	case goType == "int":
		return what + " has to be a whole number"
	case goType == "bool":
		return what + " has to be true or false"
	case strings.HasPrefix(goType, "[]"):
		return what + " has to be a list"
	case goType == "string" || goType == "config.DatabaseType" || goType == "config.MediaStore":
		return what + " has to be a text"
	default:
		return what + " has to be a section: keys in lines of their own below it, indented"
	}
}

// pathsAt returns the keys on a line, sorted. Several are there if the admin wrote {a: b, c: d}.
func pathsAt(lines map[string]int, line string) []string {
	number, err := strconv.Atoi(line)
	if err != nil {
		return nil
	}
	var paths []string
	for path, at := range lines {
		if at == number {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// linesOf maps the path of every key that the file has, such as "gatekeepers[0].id", to its line.
func linesOf(section string, root *yaml.Node) map[string]int {
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
				path := join(prefix, node.Content[i].Value)
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
	if section != "" {
		lines[section] = 1
	}
	walk(section, root)
	return lines
}
