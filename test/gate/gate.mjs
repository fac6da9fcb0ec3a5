/**
 * n8n's own gate for community packages: the check that a package has to pass to be verified.
 *
 *     node test/gate/gate.mjs source=<folder> package=<folder> …
 *
 * prints one line of JSON on stdout: for each folder, in order, `{ "passed": …, "details": … }`. `source` is checked as
 * the gate checks a repository, `package` as it checks an unpacked tarball.
 *
 * The gate lives in a folder of its own in the user's cache: it works with another TypeScript than the one it names,
 * which takes an `overrides` field, and the gate refuses any package that has one.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { InstallError, installPackages } from '../packages.mjs';
import { cacheRoot } from '../support/n8n/install.mjs';

const RECIPE = dirname(fileURLToPath(import.meta.url));

/** The gate takes 200 MB; npm keeps what it fetched in its own cache beside that. */
const REQUIRED_BYTES = 0.5 * 1024 ** 3;

/** What n8n looks at in a tarball; the patterns for a repository are exported by the gate itself. */
const PACKAGE_FILE_PATTERNS = ['**/*.js', 'package.json'];

/**
 * Makes sure that the gate is installed.
 *
 * @returns {Promise<string>} its folder, one for each content of the lock file
 * @throws {InstallError} with one sentence, when it cannot be installed
 */
export async function ensureGate() {
	const lockFile = readFileSync(join(RECIPE, 'package-lock.json'));
	const hash = createHash('sha256').update(lockFile).digest('hex').slice(0, 12);
	const folder = join(cacheRoot(), `gate-${hash}`);
	await installPackages({
		recipe: RECIPE,
		folder,
		what: "n8n's gate",
		requiredBytes: REQUIRED_BYTES,
	});
	return folder;
}

async function check(requests) {
	const scanner = join(
		await ensureGate(),
		'node_modules/@n8n/scan-community-package/scanner/scanner.mjs',
	);
	// Under jest, one of the gate's plugins takes every file for its own test fixture.
	delete process.env.NODE_ENV;
	const { analyzePackage, SOURCE_FILE_PATTERNS } = await import(pathToFileURL(scanner).href);
	const results = [];
	for (const request of requests) {
		const [, kind, folder] = /^(source|package)=(.+)$/.exec(request) ?? [];
		if (!kind)
			throw new InstallError(`"${request}" is neither source=<folder> nor package=<folder>.`);
		const {
			passed,
			message = '',
			details = '',
		} = await analyzePackage(
			resolve(folder),
			kind === 'source' ? SOURCE_FILE_PATTERNS : PACKAGE_FILE_PATTERNS,
		);
		results.push({ passed, details: `${message}\n${details}` });
	}
	return results;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	try {
		process.stdout.write(`${JSON.stringify(await check(process.argv.slice(2)))}\n`);
	} catch (error) {
		process.stderr.write(`${error instanceof InstallError ? error.message : error.stack}\n`);
		process.exitCode = 1;
	}
}
