package preview

var Guarded = guarded
