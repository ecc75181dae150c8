// Package config is the daemon's configuration: one small YAML file, checked strictly before anything starts.
//
// The embedded example is the only place where defaults stand. A file that an admin writes is laid over it, then the
// environment is laid over that, then everything is checked:
//
//	cfg, err := config.Load("config.yaml", os.Getenv)
//
// Errors name the file, the line, the key and what to write there instead. They never contain a secret.
package config
