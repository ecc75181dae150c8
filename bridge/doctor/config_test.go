package doctor_test

import (
	"strings"
	"testing"

	"postern/bridge/config"
	"postern/bridge/doctor"
)

func noEnvironment(string) string { return "" }

func TestEveryMistakeInTheConfigIsAFaultWithItsRemedy(t *testing.T) {
	_, err := config.Parse("config.yaml", []byte("homeserver:\n    address: matrix.example.org\n"), noEnvironment)
	findings := remember(doctor.BadConfig(err))
	var found bool
	for _, finding := range findings {
		if finding.Check != "config.valid" || finding.Status != doctor.Fault || finding.Remedy == "" {
			t.Errorf("%+v", finding)
		}
		found = found || finding.Text == "config.yaml:2: homeserver.address is not a URL." && finding.Remedy == "Write http:// or https://host."
	}
	if !found || len(findings) < 5 {
		t.Errorf("found %+v", findings)
	}
}

func TestAMisspeltKeyIsAFault(t *testing.T) {
	_, err := config.Parse("config.yaml", []byte("homeserver:\n    adress: x\n"), noEnvironment)
	findings := remember(doctor.BadConfig(err))
	if len(findings) != 1 || findings[0].Status != doctor.Fault || !strings.Contains(findings[0].Text, `unknown key "adress"`) {
		t.Errorf("found %+v", findings)
	}
}

func TestTheWorstStatusCounts(t *testing.T) {
	for _, test := range []struct {
		statuses []doctor.Status
		want     doctor.Status
	}{
		{nil, doctor.OK},
		{[]doctor.Status{doctor.Note, doctor.OK}, doctor.Note},
		{[]doctor.Status{doctor.Warning, doctor.Fault, doctor.Note}, doctor.Fault},
	} {
		var findings []doctor.Finding
		for _, status := range test.statuses {
			findings = append(findings, doctor.Finding{Status: status})
		}
		if got := doctor.Worst(findings); got != test.want {
			t.Errorf("%v: %s, want %s", test.statuses, got, test.want)
		}
	}
}
