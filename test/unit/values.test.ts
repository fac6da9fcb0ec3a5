/** The Task ID of an item, as sheets and expressions hold it. */
import { checkTaskId } from '../../nodes/shared/task/values';
import { refused, taken } from '../fixtures/taskIds.json';

it.each<unknown[]>(taken)('the Task ID %j is %s', (given, value) => {
	expect(checkTaskId(given)).toEqual({ ok: true, value });
});

it.each<unknown[]>([
	...refused,
	[undefined, 'is empty: this item has no such value'],
	[new Date(0), 'gave a date'],
	[Number.NaN, 'gave NaN'],
])('the Task ID %j is refused: it %s', (given, reason) => {
	const checked = checkTaskId(given);
	const problems = checked.ok ? [] : checked.problems;
	expect(problems).toEqual([expect.stringMatching(/^Task ID [^]+\.$/)]);
	expect(problems[0]).toContain(reason);
});
