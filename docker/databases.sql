-- Each program has a database of its own. Synapse insists on this collation.
CREATE DATABASE synapse TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C';
CREATE DATABASE postern TEMPLATE template0 ENCODING 'UTF8';
