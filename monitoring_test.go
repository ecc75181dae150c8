package postern_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"postern/bridge/metrics"
)

// TestMonitoringUsesMetricsThatExist holds the dashboard and the alerts to the names of what is there.
func TestMonitoringUsesMetricsThatExist(t *testing.T) {
	expressions := append(dashboardExpressions(t), alertExpressions(t)...)
	if len(expressions) < 40 {
		t.Fatalf("only %d expressions were found", len(expressions))
	}
	known := scrapedNames(t)
	name := regexp.MustCompile(`\b(postern|go|process)_[a-z_]+`)
	used := make(map[string]bool)
	for _, expression := range expressions {
		if strings.Count(expression, "(") != strings.Count(expression, ")") || strings.Count(expression, "{") != strings.Count(expression, "}") {
			t.Errorf("not balanced: %s", expression)
		}
		for _, metric := range name.FindAllString(expression, -1) {
			used[metric] = true
			if !known[metric] {
				t.Errorf("there is no %s, in %s", metric, expression)
			}
		}
	}
	for metric := range known { // what is counted should be seen
		metric = strings.TrimSuffix(metric, "_bucket")
		base := strings.TrimSuffix(strings.TrimSuffix(metric, "_sum"), "_count")
		if strings.HasPrefix(metric, "postern_") && !used[metric] && !used[base+"_bucket"] && !notShown[metric] {
			t.Errorf("%s is on no dashboard and in no alert", metric)
		}
	}
}

// notShown are metrics for other questions.
var notShown = map[string]bool{"postern_database_errors_total": true, "postern_build_info": true}

func dashboardExpressions(t *testing.T) (expressions []string) {
	t.Helper()
	content, err := os.ReadFile("docs/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err = json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expressions = append(expressions, target.Expr)
		}
	}
	return expressions
}

func alertExpressions(t *testing.T) (expressions []string) {
	t.Helper()
	file, err := os.Open("docs/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var rules struct {
		Groups []struct {
			Name  string `yaml:"name"`
			Rules []struct {
				Alert       string            `yaml:"alert"`
				Expr        string            `yaml:"expr"`
				For         string            `yaml:"for"`
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"rules"`
		} `yaml:"groups"`
	}
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err = decoder.Decode(&rules); err != nil {
		t.Fatal(err)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Expr == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("incomplete rule %+v", rule)
			}
			expressions = append(expressions, rule.Expr)
		}
	}
	return expressions
}

// TestPromtoolAcceptsTheAlerts takes Prometheus' own program (Debian: prometheus). Without it the test fails in CI, and says elsewhere that
// it did not run.
func TestPromtoolAcceptsTheAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	} else if err != nil {
		t.Skip("!!! NOT RUN: ", err)
	}
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule // of the dashboard, in the form that promtool reads
	for i, expression := range dashboardExpressions(t) {
		expression = strings.NewReplacer("$job", ".*", "$gatekeeper", ".*").Replace(expression)
		rules = append(rules, rule{fmt.Sprintf("panel:%d", i), expression})
	}
	content, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	dashboard := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err = os.WriteFile(dashboard, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(promtool, "check", "rules", "docs/monitoring/alerts.yaml", dashboard).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// scrapedNames are the names of all that a daemon with a user in each state would tell.
func scrapedNames(t *testing.T) map[string]bool {
	t.Helper()
	m := metrics.New(metrics.Options{
		Gatekeepers: []string{"wa"}, Kinds: []string{"text"}, Incidents: []string{"postponed"}, Database: new(sql.DB),
		State: func(context.Context) (*metrics.State, error) {
			pair := map[metrics.Pair]int{{Gatekeeper: "wa", State: "enlisted"}: 1}
			return &metrics.State{
				Connections: pair, Enlistments: pair, Outbox: map[string]metrics.Queue{"wa": {}}, Inbox: map[string]int{"wa": 0},
			}, nil
		},
	})
	m.PartnerRequest("jwks", http.StatusOK)
	m.Query("exec", 1, false)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	names := make(map[string]bool)
	for _, line := range regexp.MustCompile(`(?m)^([a-z_]+)[ {]`).FindAllStringSubmatch(answer.Body.String(), -1) {
		names[line[1]] = true
	}
	return names
}
