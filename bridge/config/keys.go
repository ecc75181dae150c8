package config

import (
	"reflect"
	"strings"
)

// key is a value of the config that can be set alone: one that is no section. Lists are one value each.
type key struct {
	// path is where it stands in the file, such as public.s3.bucket.
	path string
	// value can be set.
	value reflect.Value
}

// variable is the environment variable that sets the key: POSTERN_PUBLIC_S3_BUCKET for public.s3.bucket.
func (k key) variable() string { return variableOf(k.path) }

func variableOf(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// keys returns every key of the config, in the order of the fields.
func (c *Config) keys() []key { return keysOf("", reflect.ValueOf(c).Elem()) }

func keysOf(section string, value reflect.Value) []key {
	var keys []key
	for i := range value.NumField() {
		path := join(section, yamlName(value.Type().Field(i)))
		if field := value.Field(i); field.Kind() == reflect.Struct {
			keys = append(keys, keysOf(path, field)...)
		} else {
			keys = append(keys, key{path: path, value: field})
		}
	}
	return keys
}

// knownNames returns the names of the keys and sections of every section. The entries of a list of sections are named
// as if there was one: "gatekeepers".
func knownNames() map[string][]string {
	known := make(map[string][]string)
	var walk func(section string, of reflect.Type)
	walk = func(section string, of reflect.Type) {
		for i := range of.NumField() {
			name := yamlName(of.Field(i))
			known[section] = append(known[section], name)
			inner := of.Field(i).Type
			if inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				walk(join(section, name), inner)
			}
		}
	}
	walk("", reflect.TypeFor[Config]())
	return known
}

func yamlName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
	return name
}

func join(section, name string) string {
	if section == "" {
		return name
	}
	return section + "." + name
}
