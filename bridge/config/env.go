package config

import (
	"fmt"
	"strings"
)

// envPrefix starts the name of every environment variable that is read.
const envPrefix = "POSTERN_"

// overlayEnv sets the secrets that the environment has, each directly or from the file that NAME_FILE names. Both at
// once is an error, since nobody could tell which one counts.
func (c *Config) overlayEnv(getenv func(string) string) error {
	secrets := []struct {
		name string
		into *string
	}{
		{"SECRET_KEY", &c.SecretKey},
		{"AS_TOKEN", &c.Appservice.ASToken},
		{"HS_TOKEN", &c.Appservice.HSToken},
		{"DOUBLE_PUPPET_AS_TOKEN", &c.DoublePuppet.ASToken},
		{"PROVISIONING_SECRET", &c.Provisioning.SharedSecret},
		{"DATABASE_URI", &c.Database.URI},
		{"S3_ACCESS_KEY", &c.Public.S3.AccessKey},
		{"S3_SECRET_KEY", &c.Public.S3.SecretKey},
	}
	for _, secret := range secrets {
		name := envPrefix + secret.name
		value, path := getenv(name), getenv(name+"_FILE")
		switch {
		case value != "" && path != "":
			return fmt.Errorf("both %s and %s_FILE are set; unset one of them", name, name)
		case value != "":
			*secret.into = value
		case path == "":
		case secret.into == &c.SecretKey:
			// This file is made at first start, with a check of its mode, so only its name is taken here.
			c.SecretKeyFile = path
		default:
			data, err := readFile(path)
			if err != nil {
				return fmt.Errorf("failed to read the file that %s_FILE names: %w", name, err)
			}
			*secret.into = strings.TrimSpace(string(data))
			if *secret.into == "" {
				return fmt.Errorf("the file that %s_FILE names is empty", name)
			}
		}
	}
	return nil
}
