package bridge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheDatabaseIsMeasured(t *testing.T) {
	i := install(t)
	if _, err := i.answer("yes"); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	i.daemon.Metrics().Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := answer.Body.String()
	if !strings.Contains(text, `postern_database_query_seconds_count{method="commit"}`) || !strings.Contains(text, "go_sql_wait_count_total") {
		t.Errorf("the database is not measured:\n%s", text)
	}
	if strings.Contains(text, "alice") || strings.Contains(text, "77-1001") {
		t.Error("a user is named")
	}
}
