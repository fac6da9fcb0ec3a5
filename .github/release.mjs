/**
 * Checks that a version may be published: the tag, package.json, the lock file and CHANGELOG.md have to name the same one.
 *
 *     node .github/release.mjs v0.1.0     what the release workflow runs, with the tag that started it
 *     node .github/release.mjs            with the tag that belongs to the version in package.json
 *
 * Prints what is new in that version. Ends with exit code 1 and a sentence for each thing that is not right. Node's built-ins
 * only.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** As npm takes it: `1.2.3`, `1.2.3-rc.1`. */
const VERSION = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

/**
 * @param {string} folder with package.json, package-lock.json and CHANGELOG.md
 * @param {string} [tag] by default the one that belongs to package.json
 * @returns {{ problems: string[], notes: string }} `problems`: empty when it may be published; `notes`: what is new, as the
 *   changelog says it
 */
export function checkRelease(folder, tag) {
	const read = (name) => readFileSync(join(folder, name), 'utf8');
	const { version } = JSON.parse(read('package.json'));
	const lock = JSON.parse(read('package-lock.json'));
	const sections = sectionsOf(read('CHANGELOG.md'));
	const [newest] = sections.filter(({ name }) => name !== 'Unreleased');
	const unreleased = sections.find(({ name }) => name === 'Unreleased');
	const problems = [];
	const demand = (holds, problem) => holds || problems.push(problem);

	demand(VERSION.test(version), `package.json: "${version}" is not a version.`);
	demand(
		tag === undefined || tag === `v${version}`,
		`The tag is ${tag}, but package.json has version ${version}: the tag has to be v${version}.`,
	);
	demand(
		lock.version === version && lock.packages?.['']?.version === version,
		`package-lock.json does not have version ${version}: run \`npm install --package-lock-only\`.`,
	);
	demand(
		newest?.name === version,
		`The newest version in CHANGELOG.md is ${newest?.name ?? 'missing'}, not ${version}.`,
	);
	demand(
		newest === undefined || isDay(newest.date),
		`CHANGELOG.md: the heading of ${newest?.name} needs a date, as in "## [${version}] - 2026-01-31".`,
	);
	demand(
		newest === undefined || newest.text !== '',
		`CHANGELOG.md says nothing about ${newest?.name}.`,
	);
	demand(
		!unreleased?.text,
		`CHANGELOG.md still has entries under Unreleased: move them to ${version}.`,
	);
	return { problems, notes: newest?.text ?? '' };
}

/** The second-level headings of the changelog, `[1.2.3] - 2026-01-31` taken apart, with the text below each. */
function sectionsOf(changelog) {
	return changelog
		.split(/^## /m)
		.slice(1)
		.map((section) => {
			const [heading, ...lines] = section.split('\n');
			const [, name = heading.trim(), date] = /^\[([^\]]+)\](?: - (\S+))?\s*$/.exec(heading) ?? [];
			return { name, date, text: lines.join('\n').trim() };
		});
}

function isDay(text = '') {
	const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : undefined;
	return day !== undefined && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
	const root = join(dirname(fileURLToPath(import.meta.url)), '..');
	const { problems, notes } = checkRelease(root, process.argv[2]);
	if (problems.length > 0) {
		process.stderr.write(
			`Not ready to be published:\n${problems.map((one) => `- ${one}\n`).join('')}`,
		);
		process.exitCode = 1;
	} else {
		process.stdout.write(`${notes}\n`);
	}
}
