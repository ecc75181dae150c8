package users

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/consent"
	"postern/bridge/records"
	"postern/bridge/settings"
	"postern/database"
	"postern/portal"
	"postern/puppet"
)

// exportFormat goes up when the meaning of a field changes.
const exportFormat = 1

const aboutExport = "All that the Postern bridge of %s stores about %s. What messages say is not stored once they are delivered, so " +
	"it is not in here; your homeserver keeps it. Private keys are left out: they are of no use to anyone but this bridge. The log and " +
	"backups of the bridge, which the administrator may keep, are not part of this."

// export is what a user gets who asks for their data. It is JSON, for people and for programs.
type export struct {
	About          string             `json:"about"`
	Format         int                `json:"format"`
	Made           time.Time          `json:"made"`
	User           id.UserID          `json:"user"`
	ManagementRoom id.RoomID          `json:"management_room,omitempty"`
	Enlistments    []exportEnlistment `json:"enlistments"`
	// Logins are logins with their chats, whether there is an enlistment or not.
	Logins []exportLogin `json:"logins"`
	// Used is what the user took of the daily limits, Suspension why an admin suspended them, and Audit what the audit log says.
	Used       []database.Used       `json:"used_of_daily_limits"`
	Suspension *exportSuspension     `json:"suspension,omitempty"`
	Audit      []database.AuditEntry `json:"audit_log"`
}

type exportSuspension struct {
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
}

type exportEnlistment struct {
	Gatekeeper  string                   `json:"gatekeeper"`
	Name        string                   `json:"name"`
	State       database.EnlistmentState `json:"state"`
	Account     string                   `json:"account,omitempty"`
	Login       string                   `json:"login,omitempty"`
	Since       time.Time                `json:"since"`
	IdentityKey string                   `json:"public_identity_key"`
	Consent     exportConsent            `json:"consent"`
	EEA         *exportConsent           `json:"eea_declaration,omitempty"`
	// Waiting are the ids of messages on their way to contacts, which are stored encrypted until they are sent, and
	// Unfetched those of messages whose file could not be had.
	Waiting   []exportWaiting `json:"messages_not_sent_yet"`
	Unfetched []string        `json:"messages_without_their_file"`
	// Kept names messages of contacts who were not accepted, which are stored encrypted.
	Kept     []string          `json:"messages_of_requests"`
	Contacts []exportContact   `json:"contacts"`
	Settings map[string]string `json:"settings"`
}

type exportConsent struct {
	Version   int        `json:"version"`
	At        time.Time  `json:"at"`
	Withdrawn *time.Time `json:"withdrawn,omitempty"`
	Text      string     `json:"text"`
}

// exportContact is what the user decided about a contact.
type exportContact struct {
	Contact string     `json:"contact"`
	Request string     `json:"request,omitempty"`
	Asked   *time.Time `json:"asked,omitempty"`
	// Missed is how many messages were not kept while the contact asked.
	Missed int `json:"messages_not_kept,omitempty"`
	// Pinged is when the user last asked the contact to turn third-party chats on.
	Pinged  *time.Time `json:"pinged,omitempty"`
	Blocked bool       `json:"blocked,omitempty"`
	// Ignored: on the ignore list of the user's Matrix account. Compared: the user compared the security code. Held: messages wait
	// until the user agrees to a new key.
	Ignored  bool `json:"ignored,omitempty"`
	Compared bool `json:"security_code_compared,omitempty"`
	Held     bool `json:"messages_wait_for_new_key,omitempty"`
}

// requestNames are for people.
var requestNames = map[puppet.Request]string{puppet.Asks: "asks", puppet.Accepted: "accepted", puppet.Declined: "declined"}

type exportWaiting struct {
	ID   string `json:"id"`
	Chat string `json:"chat"`
}

type exportLogin struct {
	records.Login
	Chats []*records.Chat `json:"chats"`
}

// Data finds what is stored of users. It works on the database alone, beside a running daemon or without one.
type Data struct {
	Database *database.Database
	Records  records.Records
	Domain   string
	// Name is what users call a gatekeeper.
	Name func(gatekeeper string) string
}

// ErrNobody: nothing is stored about a user.
var ErrNobody = errors.New("nothing is stored about this user")

// Export returns all that is stored about a user, as JSON. Errors: ErrNobody.
func (d *Data) Export(ctx context.Context, user id.UserID, now time.Time) ([]byte, error) {
	result := &export{
		About: fmt.Sprintf(aboutExport, d.Domain, user), Format: exportFormat, Made: now.UTC(), User: user,
		Enlistments: []exportEnlistment{}, Logins: []exportLogin{},
	}
	var err error
	if result.ManagementRoom, err = d.Records.ManagementRoom(ctx, user); err != nil {
		return nil, err
	}
	enlistments, err := d.Database.Enlistments().OfUser(ctx, user.String())
	if err != nil {
		return nil, err
	}
	for _, enlistment := range enlistments {
		exported, err := d.enlistment(ctx, enlistment)
		if err != nil {
			return nil, err
		}
		result.Enlistments = append(result.Enlistments, exported)
	}
	logins, err := d.Records.Logins(ctx, user)
	if err != nil {
		return nil, err
	}
	for _, login := range logins {
		chats, err := d.Records.Chats(ctx, login.ID)
		if err != nil {
			return nil, err
		}
		result.Logins = append(result.Logins, exportLogin{Login: login, Chats: chats})
	}
	if err = d.administration(ctx, user, result); err != nil {
		return nil, err
	}
	if len(enlistments) == 0 && len(logins) == 0 && result.ManagementRoom == "" &&
		len(result.Used) == 0 && result.Suspension == nil && len(result.Audit) == 0 {
		return nil, ErrNobody
	}
	return json.MarshalIndent(result, "", "\t")
}

// administration adds what admins know of a user.
func (d *Data) administration(ctx context.Context, user id.UserID, result *export) (err error) {
	if result.Used, err = d.Database.Usage().OfUser(ctx, user.String()); err != nil {
		return err
	}
	if result.Audit, err = d.Database.Audit().OfUser(ctx, user.String()); err != nil {
		return err
	}
	suspensions, err := d.Database.Suspensions().All(ctx)
	for _, suspension := range suspensions {
		if suspension.UserID == user.String() {
			result.Suspension = &exportSuspension{Reason: suspension.Reason, Since: suspension.At.UTC()}
		}
	}
	return err
}

func (d *Data) enlistment(ctx context.Context, enlistment *database.Enlistment) (exportEnlistment, error) {
	values := consent.Values{Gatekeeper: d.Name(enlistment.Gatekeeper), User: enlistment.UserID, Domain: d.Domain}
	result := exportEnlistment{
		Gatekeeper: enlistment.Gatekeeper, Name: values.Gatekeeper, State: enlistment.State, Login: enlistment.Login,
		Since: enlistment.Created.UTC(), IdentityKey: base64.StdEncoding.EncodeToString(enlistment.Keys.Identity.Pub[:]),
		Consent: exportConsent{
			Version: enlistment.ConsentVersion, At: enlistment.ConsentAt.UTC(),
			Text: consent.Text(consent.Enlist, enlistment.ConsentVersion, values),
		},
		Waiting: []exportWaiting{}, Unfetched: []string{}, Kept: []string{}, Contacts: []exportContact{},
		Settings: settings.WordsIn(enlistment.Settings),
	}
	if !enlistment.JID.IsEmpty() {
		result.Account = enlistment.JID.String()
	}
	if enlistment.EEAVersion > 0 {
		result.EEA = &exportConsent{
			Version: enlistment.EEAVersion, At: enlistment.EEAAt.UTC(), Text: consent.Text(consent.EEA, enlistment.EEAVersion, values),
		}
		if at := enlistment.EEAWithdrawn.UTC(); !enlistment.EEAWithdrawn.IsZero() {
			result.EEA.Withdrawn = &at
		}
	}
	waiting, err := d.Database.AccountStore(enlistment.Account).PendingMessages(ctx, 0, maxExported)
	if err != nil {
		return result, err
	}
	for _, message := range waiting {
		result.Waiting = append(result.Waiting, exportWaiting{ID: message.ID, Chat: message.Chat.String()})
	}
	unfetched, err := d.Database.Unfetched(enlistment.Account).UnfetchedIDs(ctx, string(portal.FromContact), maxExported)
	if err == nil && unfetched != nil {
		result.Unfetched = unfetched
	}
	if err != nil {
		return result, err
	}
	return result, d.decisions(ctx, enlistment.Account, &result)
}

// decisions adds what the user decided about contacts, and what waits for a decision.
func (d *Data) decisions(ctx context.Context, account database.AccountID, result *exportEnlistment) error {
	kept, err := d.Database.Kept(account).IDs(ctx, maxExported)
	if err != nil {
		return err
	}
	result.Kept = append(result.Kept, kept...)
	contacts, err := d.Database.Contacts(account).All(ctx)
	if err != nil {
		return err
	}
	for _, contact := range contacts {
		result.Contacts = append(result.Contacts, exportContact{
			Contact: contact.JID.String(), Request: requestNames[contact.Request], Asked: timeOf(contact.Asked),
			Missed: contact.Missed, Pinged: timeOf(contact.Pinged), Blocked: contact.Blocked,
			Ignored: contact.Ignored, Compared: contact.Compared != nil, Held: contact.Held,
		})
	}
	return nil
}

func timeOf(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

// maxExported bounds the messages on their way that an export lists, of each kind.
const maxExported = 10_000
