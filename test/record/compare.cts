// The differences between two recordings, told once for each kind of difference.
import { isRecord } from '../sandbox/server.cjs';

interface Kind {
	where: string[];
	text: string;
}

const LONGEST_TEXT = 600;

function textOf(value: unknown): string {
	return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, LONGEST_TEXT);
}

/** Calls `tell` with each innermost place where two values differ. */
function compare(
	before: unknown,
	after: unknown,
	path: string,
	tell: (path: string, before: unknown, after: unknown) => void,
): void {
	if (JSON.stringify(before) === JSON.stringify(after)) return;
	const areLists = Array.isArray(before) && Array.isArray(after) && before.length === after.length;
	const areObjects = isRecord(before) && isRecord(after);
	if (!areLists && !areObjects) return tell(path, before, after);
	for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
		compare(Reflect.get(before, key), Reflect.get(after, key), `${path}.${key}`, tell);
	}
}

/** One text for each kind of difference: the same change of the same field, whatever the record. Most frequent first. */
export function differencesOf(
	before: Record<string, unknown>,
	after: Record<string, unknown>,
): string[] {
	const kinds = new Map<string, Kind>();
	for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
		compare(before[name], after[name], '', (path, was, is) => {
			const field = path.replace(/\.\d+(?=\.|$)/g, '[]');
			const text = `${field}\n  - ${textOf(was)}\n  + ${textOf(is)}`;
			const kind = kinds.get(text) ?? { where: [], text };
			kind.where.push(name);
			kinds.set(text, kind);
		});
	}
	return [...kinds.values()]
		.sort((a, b) => b.where.length - a.where.length)
		.map(({ where, text }) => `${where.length} × ${text}\n  first in ${where[0]}`);
}
