package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// errOwnLines: keys cannot be added where a file writes sections in another form than the example's.
var errOwnLines = errors.New("it cannot be brought up to date by the program: write every section with its keys in lines of their own, indented")

// UpgradeFile adds to a config the keys of this version's example that it lacks, with their comments and defaults. What the file has stays as
// it is, every line of it. It returns the keys that were added, without sections, and where a copy of the old file was kept; if nothing is
// missing, the file is not touched.
func UpgradeFile(path string, now time.Time) (added []string, kept string, err error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("there is no config; `postern init` writes one: %w", err)
	} else if err != nil {
		return nil, "", fmt.Errorf("failed to read the config: %w", err)
	}
	text, added, err := Upgrade(path, string(data))
	if err != nil || len(added) == 0 {
		return nil, "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil { // the file is replaced, not the link to it
		return nil, "", err
	}
	like, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if kept, err = KeepCopy(path, now); err != nil {
		return nil, "", err
	}
	return added, kept, replaceFile(path, text, like)
}

// Upgrade is UpgradeFile for a text. name is used in errors only. The values are the same before and after, and every line of the text is
// in the result, in the same order; if that cannot be held, it fails.
func Upgrade(name, text string) (upgraded string, added []string, err error) {
	before := Default()
	if err = decodeStrict(name, "", []byte(text), before); err != nil {
		return "", nil, err
	}
	document, err := newSheet(text)
	if err != nil {
		return "", nil, syntaxError(name, nil, err)
	}
	if upgraded, added = document.complete(layout(example)); len(added) == 0 {
		return text, nil, nil
	}
	after := Default()
	again, err := newSheet(upgraded)
	if err != nil || decodeStrict(name, "", []byte(upgraded), after) != nil || !reflect.DeepEqual(before, after) {
		return "", nil, fmt.Errorf("%s: %w", name, errOwnLines)
	}
	if _, missing := again.complete(layout(example)); len(missing) > 0 {
		return "", nil, fmt.Errorf("%s: %w", name, errOwnLines)
	}
	return upgraded, added, nil
}

// sheet is a config as lines of text, with the places of its keys.
type sheet struct {
	lines []string
	keys  []place // in the order of the text
}

// place is where a key stands. Lines count from 1, columns from 0.
type place struct {
	path         string
	line, column int
}

func newSheet(text string) (*sheet, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, err
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	s := &sheet{}
	for line := range strings.Lines(text) {
		s.lines = append(s.lines, line)
	}
	var walk func(section string, node *yaml.Node)
	walk = func(section string, node *yaml.Node) {
		if node.Kind == yaml.DocumentNode {
			walk("", node.Content[0])
		}
		if node.Kind != yaml.MappingNode {
			return // what is in a list belongs to the list
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			path := join(section, key.Value)
			s.keys = append(s.keys, place{path, key.Line, key.Column - 1})
			walk(path, node.Content[i+1])
		}
	}
	if root.Kind != 0 {
		walk("", &root)
	}
	return s, nil
}

// complete adds each entry that is missing after the one before it, or if its section begins with it, at the section's beginning. It returns
// the text and the keys that it added.
func (s *sheet) complete(entries []entry) (text string, added []string) {
	type spot struct{ after, column int } // where an entry is, or was put
	spots := make(map[string]spot)
	insertions := make(map[int]string)
	last := make(map[string]spot) // the newest entry of each section
	for _, entry := range entries {
		section, _ := splitPath(entry.path)
		here, found := s.find(entry.path)
		if found {
			spots[entry.path] = spot{here.line, here.column}
			last[section] = spot{s.end(here), here.column}
			continue
		}
		at, follows := last[section]
		if !follows {
			at = spot{len(s.lines), 0}
			if parent, ok := spots[section]; ok {
				at = spot{parent.after, parent.column + indent}
			}
			if column, ok := s.columnIn(section); ok {
				at.column = column
			}
		}
		if entry.level == 0 && (entry.section || entry.comment != nil) && len(s.lines)+len(insertions) > 0 {
			insertions[at.after] += "\n"
		}
		for line := range strings.Lines(entry.text) {
			insertions[at.after] += strings.Repeat(" ", at.column) + strings.TrimPrefix(line, strings.Repeat(" ", entry.level*indent))
		}
		spots[entry.path], last[section] = at, at
		if !entry.section {
			added = append(added, entry.path)
		}
	}
	var out strings.Builder
	out.WriteString(insertions[0])
	for i, line := range s.lines {
		out.WriteString(line)
		out.WriteString(insertions[i+1])
	}
	return out.String(), added
}

func (s *sheet) find(path string) (place, bool) {
	for _, key := range s.keys {
		if key.path == path {
			return key, true
		}
	}
	return place{}, false
}

// columnIn is where the keys of a section begin that it has already.
func (s *sheet) columnIn(section string) (column int, found bool) {
	for _, key := range s.keys {
		if of, _ := splitPath(key.path); of == section {
			return key.column, true
		}
	}
	return 0, false
}

// end is the last line of a key's value. Comments and blank lines after it belong to what follows, unless they are indented
// as it is and deeper than that.
func (s *sheet) end(of place) int {
	end, column := len(s.lines), of.column
	for _, key := range s.keys {
		if key.line > of.line && key.path != of.path && !strings.HasPrefix(key.path, of.path+".") {
			end, column = key.line-1, key.column
			break
		}
	}
	for end > of.line {
		line := strings.TrimLeft(s.lines[end-1], " ")
		depth := len(s.lines[end-1]) - len(line)
		if strings.TrimSpace(line) != "" && (!strings.HasPrefix(line, "#") || (depth >= of.column && depth > column)) {
			break
		}
		end--
	}
	return end
}

func splitPath(path string) (section, name string) {
	if at := strings.LastIndex(path, "."); at >= 0 {
		return path[:at], path[at+1:]
	}
	return "", path
}
