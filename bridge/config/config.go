package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/interop"
)

// Config is the whole file. Field comments stand in example.yaml, where admins read them.
type Config struct {
	Homeserver    Homeserver   `yaml:"homeserver"`
	Appservice    Appservice   `yaml:"appservice"`
	Database      Database     `yaml:"database"`
	SecretKey     string       `yaml:"secret_key"`
	SecretKeyFile string       `yaml:"secret_key_file"`
	Public        Public       `yaml:"public"`
	Gatekeepers   []Gatekeeper `yaml:"gatekeepers"`
	OnLeave       string       `yaml:"on_leave"`
	FFmpeg        string       `yaml:"ffmpeg"`
	DoublePuppet  DoublePuppet `yaml:"double_puppet"`
	Provisioning  Provisioning `yaml:"provisioning"`
	Admins        []string     `yaml:"admins"`
	AdminRoom     string       `yaml:"admin_room"`
	AuditDays     int          `yaml:"audit_days"`
	CommandPrefix string       `yaml:"command_prefix"`
	Admin         Admin        `yaml:"admin"`
	Logging       Logging      `yaml:"logging"`
	Limits        Limits       `yaml:"limits"`
}

// Homeserver is the Matrix server whose users the bridge serves.
type Homeserver struct {
	Address string `yaml:"address"`
	Domain  string `yaml:"domain"`
}

// Appservice is how the homeserver and the bridge reach and trust each other. All of it stands in the registration
// too; the two must agree.
type Appservice struct {
	ID               string `yaml:"id"`
	Address          string `yaml:"address"`
	Listen           string `yaml:"listen"`
	BotUsername      string `yaml:"bot_username"`
	BotDisplayname   string `yaml:"bot_displayname"`
	UsernameTemplate string `yaml:"username_template"`
	ASToken          string `yaml:"as_token"`
	HSToken          string `yaml:"hs_token"`
}

// DatabaseType is a kind of database.
type DatabaseType string

const (
	SQLite   DatabaseType = "sqlite"
	Postgres DatabaseType = "postgres"
)

// Database is where everything is stored.
type Database struct {
	Type DatabaseType `yaml:"type"`
	URI  string       `yaml:"uri"`
}

// Public is the partner server, the part that the gatekeepers' servers call.
type Public struct {
	Listen     string     `yaml:"listen"`
	URL        string     `yaml:"url"`
	MediaStore MediaStore `yaml:"media_store"`
	MediaDir   string     `yaml:"media_dir"`
	S3         S3         `yaml:"s3"`
	MediaDays  int        `yaml:"media_days"`
	// TrustedProxies are addresses or networks, see Proxies.
	TrustedProxies []string `yaml:"trusted_proxies"`
}

// MediaStore is a kind of place for the files that users send.
type MediaStore string

const (
	StoreDirectory MediaStore = "directory"
	StoreS3        MediaStore = "s3"
)

// S3 is the bucket of [StoreS3].
type S3 struct {
	Endpoint  string `yaml:"endpoint"`
	Region    string `yaml:"region"`
	Bucket    string `yaml:"bucket"`
	AccessKey string `yaml:"access_key"`
	SecretKey string `yaml:"secret_key"`
	Prefix    string `yaml:"prefix"`
	Insecure  bool   `yaml:"insecure"`
}

// Proxies returns the trusted proxies as networks. The entry must have been validated.
func (p Public) Proxies() ([]netip.Prefix, error) {
	networks := make([]netip.Prefix, 0, len(p.TrustedProxies))
	for _, text := range p.TrustedProxies {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, fmt.Errorf("public.trusted_proxies: %w", err)
		}
		networks = append(networks, network)
	}
	return networks, nil
}

// What happens to a user who withdraws the declaration to be in the EEA. Nothing written is EEALeave.
const (
	EEALeave   = "leave"
	EEASuspend = "suspend"
)

// Gatekeeper is one service that users can enlist with.
type Gatekeeper struct {
	ID              string `yaml:"id"`
	Name            string `yaml:"name"`
	Product         string `yaml:"product"`
	Integrator      int    `yaml:"integrator"`
	EnlistURL       string `yaml:"enlist_url"`
	ChatURL         string `yaml:"chat_url"`
	MediaURL        string `yaml:"media_url"`
	RootKey         string `yaml:"root_key"`
	Audience        string `yaml:"audience"`
	ProtocolVersion string `yaml:"protocol_version"`
	PushIssuer      string `yaml:"push_issuer,omitempty"`
	PushKeysURL     string `yaml:"push_keys_url,omitempty"`
	EEADeclaration  bool   `yaml:"eea_declaration,omitempty"`
	EEAWithdrawn    string `yaml:"eea_withdrawn,omitempty"`
	Connection      string `yaml:"connection,omitempty"`
	IdleSeconds     int    `yaml:"idle_seconds,omitempty"`
}

// When users are connected to a gatekeeper.
const (
	ConnectAlways   = "always" // so is an empty value
	ConnectOnDemand = "on-demand"

	defaultIdle = 120 * time.Second
)

// Idle is how long a user stays connected with nothing to do, 0 for always.
func (g Gatekeeper) Idle() time.Duration {
	switch {
	case g.Connection != ConnectOnDemand:
		return 0
	case g.IdleSeconds == 0:
		return defaultIdle
	default:
		return time.Duration(g.IdleSeconds) * time.Second
	}
}

// GatekeeperName is what users call the gatekeeper with an id; the id itself if it is not in the config.
func (c *Config) GatekeeperName(id string) string {
	for _, gatekeeper := range c.Gatekeepers {
		if gatekeeper.ID == id {
			return gatekeeper.Name
		}
	}
	return id
}

// HasGatekeeper tells whether a gatekeeper is in the config.
func (c *Config) HasGatekeeper(id string) bool {
	return slices.ContainsFunc(c.Gatekeepers, func(gatekeeper Gatekeeper) bool { return gatekeeper.ID == id })
}

// Interop returns the entry in the form that the interop client wants. The entry must have been validated.
func (g Gatekeeper) Interop() (*interop.Gatekeeper, error) {
	root, err := parseRootKey(g.RootKey)
	if err != nil {
		return nil, fmt.Errorf("root_key of gatekeeper %s: %w", g.ID, err)
	}
	version, err := parseVersion(g.ProtocolVersion)
	if err != nil {
		return nil, fmt.Errorf("protocol_version of gatekeeper %s: %w", g.ID, err)
	}
	enlist, err := url.Parse(g.EnlistURL)
	if err != nil {
		return nil, fmt.Errorf("enlist_url of gatekeeper %s: %w", g.ID, err)
	}
	chat, err := url.Parse(g.ChatURL)
	if err != nil {
		return nil, fmt.Errorf("chat_url of gatekeeper %s: %w", g.ID, err)
	}
	media, err := url.Parse(strings.TrimSuffix(g.MediaURL, "/"))
	if err != nil {
		return nil, fmt.Errorf("media_url of gatekeeper %s: %w", g.ID, err)
	}
	return &interop.Gatekeeper{
		ID:              g.ID,
		Name:            g.Name,
		Product:         interop.Product(g.Product),
		Integrator:      uint16(g.Integrator),
		EnlistURL:       enlist,
		ChatURL:         chat,
		MediaURL:        media,
		RootKey:         root,
		Audience:        g.Audience,
		ProtocolVersion: version,
	}, nil
}

// DoublePuppet lets the bridge act for the homeserver's own users: chats join by themselves and are marked as direct.
type DoublePuppet struct {
	ASToken string `yaml:"as_token"`
}

// Provisioning is the HTTP interface that Matrix clients and other tools use instead of talking to the bot.
type Provisioning struct {
	SharedSecret string `yaml:"shared_secret"`
}

// Admin is the listener for health, metrics and the admin page.
type Admin struct {
	// Listen is empty to turn it off.
	Listen string `yaml:"listen"`
	// URL is what PageURL returns; empty for the usual.
	URL string `yaml:"url"`
}

// PageURL is where admins reach the admin page, without a slash at the end; "" if it is turned off.
func (a Admin) PageURL() string {
	host, port, err := net.SplitHostPort(a.Listen)
	switch {
	case err != nil:
		return "" // nothing listens
	case a.URL != "":
		return strings.TrimRight(a.URL, "/")
	case host == "", net.ParseIP(host).IsUnspecified():
		host = "localhost" // it listens on all addresses
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Limits bound what others can make the bridge do.
type Limits struct {
	TransactionMiB int `yaml:"transaction_mib"`
	LoginsAtOnce   int `yaml:"logins_at_once"`
	LoginsPerUser  int `yaml:"logins_per_user"`
	FileMiB        int `yaml:"file_mib"`
	Transfers      int `yaml:"transfers"`
	// MediaUserMiB and MediaTotalMiB bound the hosted files, of an enlistment and in all; 0 is no limit.
	MediaUserMiB  int `yaml:"media_user_mib"`
	MediaTotalMiB int `yaml:"media_total_mib"`
	// What one user may do in a day; 0 is no limit.
	ChatsPerDay    int `yaml:"chats_per_day"`
	PingsPerDay    int `yaml:"pings_per_day"`
	MessagesPerDay int `yaml:"messages_per_day"`
	FilesPerDay    int `yaml:"files_per_day"`
	ReportsPerDay  int `yaml:"reports_per_day"`
}
