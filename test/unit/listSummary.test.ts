/** What a run says about the list of videos: when a video was made, and what was reused, in words. */
import { ListSummary } from '../../nodes/Seedance/videoList/summary';
import type { ClaimResult } from '../../nodes/Seedance/videoList/claimVideos';
import type { Prepared } from '../../nodes/Seedance/run/prepare';
import type { Run } from '../../nodes/Seedance/run/run';
import { rowOf } from '../../nodes/shared/idempotency/listRow';

const NOW = Date.parse('2026-05-20T12:00:00Z');
const MINUTE = 60_000;

const run = {
	clock: { now: () => NOW },
	context: { getTimezone: () => 'UTC' },
} as unknown as Run;

function found(doing: string, ageMs: number, change: object = {}): ClaimResult {
	const row = rowOf({ id: 1, status: 'SUCCESS', createdAt: new Date(NOW - ageMs), ...change });
	return { do: doing, row } as unknown as ClaimResult;
}

const itemWith = (settings: string) => ({ listed: { settings } }) as unknown as Prepared;

function hintsOf(...all: ClaimResult[]): string {
	const report = new ListSummary(run);
	for (const one of all) report.add(one, itemWith('same'));
	return report.hints().join('\n');
}

describe('a reused video', () => {
	it.each([
		[30_000, 'just now'],
		[MINUTE, '1 minute ago'],
		[59 * MINUTE, '59 minutes ago'],
		[60 * MINUTE, '1 hour ago'],
		[23 * 60 * MINUTE, '23 hours ago'],
		[8 * 24 * 60 * MINUTE, 'on 12 May'],
	])('of %i ms ago was made %s', (ageMs, when) => {
		const hint = hintsOf(found('reuse', ageMs, { settings: 'same' }));
		expect(hint).toContain(`the video made ${when} (same settings)`);
	});

	it('is one of several, goes by its key, and reports other settings', () => {
		const two = hintsOf(...[1, 2].map(() => found('reuse', 1, { settings: 'same' })));
		expect(two).toContain('2 videos of earlier runs (same settings)');
		const other = hintsOf(found('reuse', MINUTE, { video_key: '7', settings: 'other' }));
		expect(other).toContain('(same Reuse Key)');
		expect(other).toContain('Reuse Key 7 gave the video made 1 minute ago with another prompt');
	});
});

it.each([
	['takenOver', 'Took over'],
	['join', 'Shared'],
	['skip', 'Left out'],
])('%s is counted', (doing, text) => {
	expect(hintsOf(found(doing, 1))).toContain(`${text} a video`);
	expect(hintsOf(found(doing, 1), found(doing, 1))).toContain(`${text} 2 videos`);
});

it('what was not written is reported, unless there is no list at all', () => {
	const report = new ListSummary(run);
	expect([report.warning(), report.hints()]).toEqual([undefined, []]);
	report.writeError = 'the table is full';
	expect(report.hints().join()).toContain('because the table is full');
	report.unavailable = 'the module is off';
	expect(report.hints()).toEqual([]);
	expect(report.warning()).toContain('because the module is off');
	report.isNew = true;
	expect(report.hints().join()).toContain('Created the Data Table');
});
