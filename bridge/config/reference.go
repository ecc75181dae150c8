package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Reference returns all keys with type, default, environment variable and comment, as a document in Markdown. It is made from the example
// and from the types that the config is read into, so that it cannot be wrong.
func Reference() string {
	var out strings.Builder
	out.WriteString("# Configuration reference\n\n" +
		"<!-- Made by `make docs` out of bridge/config/example.yaml. Changes here are lost, and a test notices them. -->\n\n" +
		"Every key of `config.yaml`. How a value is found, and what to think of when you choose some of them, is in\n" +
		"[configuration.md](configuration.md). A variable with `_FILE` at its end names a file that holds the value.\n")
	entries, types := layout(example), typeNames()
	for at := 0; at < len(entries); {
		group := groupAt(entries, at)
		at += len(group)
		list := group[0]
		comment, items := itemLayout(list.comment)
		writeGroup(&out, group, comment, func(key entry) string {
			return fmt.Sprintf("- `%s`: %s, default %s, `%s`\n", key.path, types[key.path], shown(key.value), variableOf(key.path))
		})
		for at := 0; at < len(items); {
			group := groupAt(items, at)
			at += len(group)
			for i := range group {
				group[i].level, group[i].path = list.level+1, list.path+"[]."+group[i].path
			}
			writeGroup(&out, group, group[0].comment, func(key entry) string {
				return fmt.Sprintf("- `%s`: %s, such as %s\n", key.path, types[key.path], shown(key.value))
			})
		}
	}
	return out.String()
}

// groupAt returns the keys at an index that share one comment.
func groupAt(entries []entry, at int) []entry {
	end := at + 1
	for end < len(entries) && !entries[at].section && !entries[end].section && len(entries[end].comment) == 0 && entries[end].level == entries[at].level {
		end++
	}
	return entries[at:end]
}

func writeGroup(out *strings.Builder, group []entry, comment []string, row func(entry) string) {
	names := make([]string, len(group))
	for i, key := range group {
		names[i] = "`" + key.path + "`"
	}
	fmt.Fprintf(out, "\n%s %s\n", strings.Repeat("#", group[0].level+2), strings.Join(names, ", "))
	if len(comment) > 0 {
		fmt.Fprintf(out, "\n%s\n", strings.Join(comment, "\n"))
	}
	if group[0].section {
		return
	}
	out.WriteString("\n")
	for _, key := range group {
		out.WriteString(row(key))
	}
}

// shown is a value in the document.
func shown(value string) string {
	if value == `""` {
		return "empty"
	}
	return "`" + value + "`"
}

// typeNames says for each key what its value has to be, in the words of the errors.
func typeNames() map[string]string {
	names := make(map[string]string)
	add := func(path string, kind reflect.Type) {
		switch kind.Kind() {
		case reflect.Int:
			names[path] = "whole number"
		case reflect.Bool:
			names[path] = "true or false"
		case reflect.String:
			names[path] = "text"
		case reflect.Slice:
			names[path] = "list"
		case reflect.Map:
			names[path] = "names and values"
		}
	}
	for _, key := range Default().keys() {
		add(key.path, key.value.Type())
		if kind := key.value.Type(); kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct {
			for i := range kind.Elem().NumField() {
				field := kind.Elem().Field(i)
				add(key.path+"[]."+yamlName(field), field.Type)
			}
		}
	}
	return names
}
