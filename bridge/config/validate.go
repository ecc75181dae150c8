package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"maunium.net/go/mautrix/id"

	"postern/interop"
)

// minSecretLength is the shortest provisioning secret that is accepted; mautrix disables the interface below it.
const minSecretLength = 16

// Error is a key whose value cannot be used. It never shows the value of a secret.
type Error struct {
	// File and Line say where the key stands; Line is 0 if it is missing. Variable is the environment variable that set it instead.
	File     string
	Line     int
	Variable string
	// Key is the path of the key, such as homeserver.address.
	Key string
	// Problem says what is wrong, Remedy what to write instead.
	Problem string
	Remedy  string
}

func (e *Error) Error() string {
	if e.Variable != "" {
		return fmt.Sprintf("%s: %s %s: %s", e.Variable, e.Key, e.Problem, e.Remedy)
	}
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s %s: %s", e.File, e.Key, e.Problem, e.Remedy)
	}
	return fmt.Sprintf("%s:%d: %s %s: %s", e.File, e.Line, e.Key, e.Problem, e.Remedy)
}

// checker collects what is wrong, so that an admin sees all of it at once.
type checker struct {
	file  string
	lines map[string]int
	// variables are the environment variables that keys were set by.
	variables map[string]string
	problems  []error
}

func (c *checker) add(key, problem, remedy string) {
	list, _, _ := strings.Cut(key, "[") // a list is set as a whole
	variable := c.variables[list]
	c.problems = append(c.problems, &Error{File: c.file, Line: c.lines[key], Variable: variable, Key: key, Problem: problem, Remedy: remedy})
}

func (c *checker) required(key, value, remedy string) bool {
	if value == "" {
		c.add(key, "is missing", remedy)
		return false
	}
	return true
}

func (c *checker) url(key, value string, schemes ...string) {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Host == "" || !slices.Contains(schemes, parsed.Scheme) {
		c.add(key, "is not a URL", "write "+strings.Join(schemes, ":// or ")+"://host")
	} else if parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" {
		c.add(key, "has more than host and path", "leave user, query and fragment out")
	}
}

// host wants a URL without a path: the other side says the path.
func (c *checker) host(key, value string, schemes ...string) {
	if parsed, err := url.Parse(value); err == nil && parsed.Host != "" && parsed.Path != "" && parsed.Path != "/" {
		c.add(key, "has a path", "write "+strings.Join(schemes, ":// or ")+"://host")
		return
	}
	c.url(key, value, schemes...)
}

func (c *checker) listen(key, value string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		c.add(key, "is not an address to listen on", "write host:port, such as 127.0.0.1:29340")
	}
}

func (c *checker) between(key string, value, low, high int) {
	if value < low || value > high {
		c.add(key, fmt.Sprintf("is %d", value), fmt.Sprintf("write a number from %d to %d", low, high))
	}
}

// Validate checks a config that was made in memory. name stands for the file in errors.
func (c *Config) Validate(name string) error { return c.validate(&checker{file: name}) }

func (c *Config) validate(check *checker) error {
	c.checkHomeserver(check)
	c.checkStorage(check)
	c.checkGatekeepers(check)
	c.checkUsers(check)
	c.checkLogging(check)
	check.between("limits.transaction_mib", c.Limits.TransactionMiB, 8, 1024)
	check.between("limits.logins_at_once", c.Limits.LoginsAtOnce, 1, 10000)
	check.between("limits.logins_per_user", c.Limits.LoginsPerUser, 0, 1000)
	check.between("limits.file_mib", c.Limits.FileMiB, 1, 2048)
	check.between("limits.transfers", c.Limits.Transfers, 1, 64)
	c.checkHosting(check)
	c.checkAdmin(check)
	return errors.Join(check.problems...)
}

var (
	domainShape    = regexp.MustCompile(`^[A-Za-z0-9.\-]+(:[0-9]{1,5})?$`)
	localpartShape = regexp.MustCompile(`^[a-z0-9._=/+-]+$`)
	shortName      = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)
	tokenShape     = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)
)

func (c *Config) checkHomeserver(check *checker) {
	if check.required("homeserver.address", c.Homeserver.Address, "write where the homeserver listens, such as http://localhost:8008") {
		check.url("homeserver.address", c.Homeserver.Address, "http", "https")
	}
	if check.required("homeserver.domain", c.Homeserver.Domain, "write the homeserver's name, such as example.org") &&
		!domainShape.MatchString(c.Homeserver.Domain) {
		check.add("homeserver.domain", "is not a server name", "write only the part of a Matrix ID after the colon")
	}
	as := c.Appservice
	if !tokenShape.MatchString(as.ID) {
		check.add("appservice.id", "is not usable", "write a word, such as postern")
	}
	check.url("appservice.address", as.Address, "http", "https")
	check.listen("appservice.listen", as.Listen)
	if !localpartShape.MatchString(as.BotUsername) {
		check.add("appservice.bot_username", "is not a username", "write lower case letters, digits and . _ = - / + only")
	}
	before, after, found := strings.Cut(as.UsernameTemplate, "{{.}}")
	if !found || strings.Contains(after, "{{") || !localpartShape.MatchString(before+after) {
		check.add("appservice.username_template", "is not a template", "write a prefix and {{.}} once, such as postern_{{.}}")
	} else if strings.HasPrefix(as.BotUsername, before) && strings.HasSuffix(as.BotUsername, after) {
		check.add("appservice.username_template", "matches the bot's username", "give contacts a prefix that the bot's name does not have")
	}
	for _, token := range []struct{ key, value string }{
		{"appservice.as_token", as.ASToken}, {"appservice.hs_token", as.HSToken},
	} {
		if check.required(token.key, token.value, "copy it from registration.yaml, which `postern init` makes") &&
			!tokenShape.MatchString(token.value) {
			check.add(token.key, "has characters that a token cannot have", "copy it again from registration.yaml")
		}
	}
	if as.ASToken != "" && as.ASToken == as.HSToken {
		check.add("appservice.hs_token", "is the same as as_token", "copy both from registration.yaml")
	}
}

func (c *Config) checkStorage(check *checker) {
	switch c.Database.Type {
	case SQLite:
		if c.Database.URI == "" || strings.Contains(c.Database.URI, "?") || strings.HasPrefix(c.Database.URI, "file:") {
			check.add("database.uri", "is not a file name", "write a plain path, such as postern.db")
		}
	case Postgres:
		// The value may hold a password, so it is not shown.
		if parsed, err := url.Parse(c.Database.URI); err != nil || (parsed.Scheme != "postgres" && parsed.Scheme != "postgresql") {
			check.add("database.uri", "is not a PostgreSQL address", "write postgres://user:password@host/database")
		}
	default:
		check.add("database.type", "is unknown", "write sqlite or postgres")
	}
	if c.SecretKey == "" && c.SecretKeyFile == "" {
		check.add("secret_key_file", "is missing", "write a file name, such as postern.key")
	}
	check.listen("public.listen", c.Public.Listen)
	if check.required("public.url", c.Public.URL, "write how gatekeepers reach the partner server, such as https://postern.example.org") {
		check.url("public.url", c.Public.URL, "https", "http")
	}
	if c.Public.Listen == c.Appservice.Listen {
		check.add("public.listen", "is the same as appservice.listen", "give the partner server an address of its own")
	}
	if c.Admin.Listen != "" {
		check.listen("admin.listen", c.Admin.Listen)
		if c.Admin.Listen == c.Appservice.Listen || c.Admin.Listen == c.Public.Listen {
			check.add("admin.listen", "is taken by another listener", "give it an address of its own, or leave it empty")
		}
	}
	for i, proxy := range c.Public.TrustedProxies {
		if _, err := parseNetwork(proxy); err != nil {
			check.add(fmt.Sprintf("public.trusted_proxies[%d]", i), "is not an address", "write an IP address, or a network such as 172.16.0.0/12")
		}
	}
}

func (c *Config) checkGatekeepers(check *checker) {
	if len(c.Gatekeepers) == 0 {
		check.add("gatekeepers", "has no entry", "add one as the example shows; `postern config` prints it")
	}
	seen, issuers := make(map[string]bool), make(map[string]bool)
	for i, g := range c.Gatekeepers {
		key := func(name string) string { return fmt.Sprintf("gatekeepers[%d].%s", i, name) }
		if !shortName.MatchString(g.ID) {
			check.add(key("id"), "is not a short name", "write 1 to 16 lower case letters and digits, such as whatsapp")
		} else if seen[g.ID] {
			check.add(key("id"), "is there twice", "give every gatekeeper an id of its own")
		}
		seen[g.ID] = true
		check.required(key("name"), g.Name, "write what people read, such as WhatsApp")
		if product := interop.Product(g.Product); product != interop.ProductWhatsApp && product != interop.ProductMessenger {
			check.add(key("product"), "is unknown", "write whatsapp or messenger")
		}
		check.between(key("integrator"), g.Integrator, 1, 65535)
		check.url(key("enlist_url"), g.EnlistURL, "https", "http")
		check.url(key("chat_url"), g.ChatURL, "wss", "ws")
		check.host(key("media_url"), g.MediaURL, "https", "http")
		if _, err := parseRootKey(g.RootKey); err != nil {
			check.add(key("root_key"), err.Error(), "write 32 bytes in hexadecimal or base64")
		}
		check.required(key("audience"), g.Audience, "write whom tokens are made out to, as the gatekeeper tells you")
		if _, err := parseVersion(g.ProtocolVersion); err != nil {
			check.add(key("protocol_version"), err.Error(), "write major.minor.patch, such as 1.0.3")
		}
		checkPush(check, key, g, issuers)
		if g.EEAWithdrawn != "" && g.EEAWithdrawn != EEALeave && g.EEAWithdrawn != EEASuspend {
			check.add(key("eea_withdrawn"), "is unknown", "write leave or suspend")
		}
		checkConnection(check, key, g)
	}
	if c.OnLeave != "keep" && c.OnLeave != "close" {
		check.add("on_leave", "is unknown", "write keep or close")
	}
}

// checkConnection wants a way for the gatekeeper to wake users who are not connected.
func checkConnection(check *checker, key func(name string) string, g Gatekeeper) {
	switch g.Connection {
	case "", ConnectAlways:
	case ConnectOnDemand:
		if g.PushIssuer == "" {
			check.add(key("connection"), "needs pushes", "set push_issuer and push_keys_url, or write always")
		}
	default:
		check.add(key("connection"), "is unknown", "write always or on-demand")
	}
	if g.IdleSeconds != 0 {
		check.between(key("idle_seconds"), g.IdleSeconds, 1, 3600)
	}
}

// checkPush wants both keys or none. Whose keys prove a push depends on its issuer, so each has one gatekeeper.
func checkPush(check *checker, key func(name string) string, g Gatekeeper, issuers map[string]bool) {
	switch {
	case g.PushIssuer == "" && g.PushKeysURL == "":
		return
	case g.PushIssuer == "":
		check.add(key("push_issuer"), "is missing", "write whom pushes come from, such as WHATSAPP, or leave push_keys_url out")
	case issuers[g.PushIssuer]:
		check.add(key("push_issuer"), "is there twice", "give every gatekeeper an issuer of its own")
	}
	issuers[g.PushIssuer] = true
	if check.required(key("push_keys_url"), g.PushKeysURL, "write where the gatekeeper publishes its keys, or leave push_issuer out") {
		check.url(key("push_keys_url"), g.PushKeysURL, "https", "http")
	}
}

func (c *Config) checkUsers(check *checker) {
	if secret := c.Provisioning.SharedSecret; secret != "" && len(secret) < minSecretLength {
		check.add("provisioning.shared_secret", "is too short", fmt.Sprintf("write at least %d characters or leave it empty", minSecretLength))
	}
	for i, admin := range c.Admins {
		if _, _, err := id.UserID(admin).ParseAndValidateRelaxed(); err != nil {
			check.add(fmt.Sprintf("admins[%d]", i), "is not a Matrix ID", "write it as @name:"+c.Homeserver.Domain)
		}
	}
	if c.CommandPrefix == "" || strings.ContainsAny(c.CommandPrefix, " \t\n") {
		check.add("command_prefix", "is not a word", "write one word, such as !postern")
	}
}
