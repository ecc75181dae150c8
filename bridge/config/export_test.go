package config

// Paths returns every key of the config, and of the entries of its lists as gatekeepers[].id.
func Paths() (paths []string) {
	for path := range typeNames() {
		paths = append(paths, path)
	}
	return paths
}
